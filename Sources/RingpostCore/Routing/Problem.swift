// The one table of what can go wrong for a producer, an operator or a client that asks, with the code, the HTTP status
// and whether asking again makes sense. The same number travels in link frames.
import HashRing

/// Why a request was not done.
public enum Problem: UInt8, Error, Sendable, CaseIterable {
    case badRequest = 1
    case badName = 2
    case badCursor = 3
    case badJSON = 4
    case badParameter = 5
    case notFound = 6
    case methodNotAllowed = 7
    case requestTimeout = 8
    case lengthRequired = 9
    case tooLarge = 10
    case unsupportedMediaType = 11
    case upgradeRequired = 12
    case forbiddenOrigin = 13
    case tooManyChannels = 14
    case forbidden = 15
    /// More often than it may.
    case tooFast = 16
    /// A channel has as many subscribers on this event loop as it may.
    case channelFull = 17
    /// Who asks has not said who it is, or not so that it can be believed.
    case unauthorized = 18
    /// A user or a source address has as many sockets as it may.
    case tooManySockets = 19
    /// The idempotency window is full.
    case windowFull = 20
    /// Too much waits already, here or at the owner.
    case overloaded = 21
    /// Nobody has weight, or this node is not in a ring yet.
    case noOwner = 22
    /// The rings differ, or slots change hands: definitely not appended, and worth another try.
    case retry = 23
    /// The owner may not act now: it has lost touch with ZooKeeper and with the others.
    case frozen = 24
    /// The owner can't be reached: definitely not appended.
    case ownerUnreachable = 25
    /// The connection to the owner broke, or it did not answer in time, with the message under way: it may have been appended.
    case outcomeUnknown = 26
    /// The node is stopping.
    case stopping = 27
    case internalError = 28
    /// The publisher has written to as many different users and channels as it may.
    case tooManyNames = 29
    /// What an order has to be written to does not take it now: ZooKeeper is away, or a file can't be written.
    case unavailable = 30

    /// Stable; programs compare it.
    public var code: String {
        switch self {
        case .badRequest: "bad_request"
        case .badName: "bad_name"
        case .badCursor: "bad_cursor"
        case .badJSON: "bad_json"
        case .badParameter: "bad_parameter"
        case .notFound: "not_found"
        case .methodNotAllowed: "method_not_allowed"
        case .requestTimeout: "request_timeout"
        case .lengthRequired: "length_required"
        case .tooLarge: "too_large"
        case .unsupportedMediaType: "unsupported_media_type"
        case .upgradeRequired: "upgrade_required"
        case .forbiddenOrigin: "forbidden_origin"
        case .tooManyChannels: "too_many_channels"
        case .forbidden: "forbidden"
        case .tooFast: "too_fast"
        case .channelFull: "channel_full"
        case .unauthorized: "unauthorized"
        case .tooManySockets: "too_many_sockets"
        case .windowFull: "window_full"
        case .overloaded: "overloaded"
        case .noOwner: "no_owner"
        case .retry: "retry"
        case .frozen: "frozen"
        case .ownerUnreachable: "owner_unreachable"
        case .outcomeUnknown: "outcome_unknown"
        case .stopping: "stopping"
        case .internalError: "internal_error"
        case .tooManyNames: "too_many_names"
        case .unavailable: "unavailable"
        }
    }

    /// The HTTP status.
    public var status: Int {
        switch self {
        case .badRequest, .badName, .badCursor, .badJSON, .badParameter, .tooManyChannels: 400
        case .unauthorized: 401
        case .forbiddenOrigin, .forbidden: 403
        case .notFound: 404
        case .methodNotAllowed: 405
        case .requestTimeout: 408
        case .lengthRequired: 411
        case .tooLarge: 413
        case .unsupportedMediaType: 415
        case .upgradeRequired: 426
        case .windowFull, .tooFast, .tooManySockets, .tooManyNames: 429
        case .overloaded, .noOwner, .retry, .frozen, .ownerUnreachable, .outcomeUnknown, .stopping, .channelFull, .unavailable: 503
        case .internalError: 500
        }
    }

    /// A sentence that says what to do, where the place that found the problem knows no better one.
    public var message: String {
        switch self {
        case .badRequest: "the request can't be read"
        case .badName: "the user id or channel name is not valid"
        case .badCursor: "the cursor is not one that this cluster has handed out; leave it out to start from now"
        case .badJSON: "the body is declared as JSON but isn't valid JSON"
        case .badParameter: "a parameter is not valid"
        case .notFound: "there is nothing at this path"
        case .methodNotAllowed: "this path does not take this method"
        case .requestTimeout: "the request did not arrive in time"
        case .lengthRequired: "send a Content-Length"
        case .tooLarge: "the message is larger than this node takes"
        case .unsupportedMediaType: "send application/json or text in UTF-8"
        case .upgradeRequired: "this path speaks WebSocket version 13 only"
        case .forbiddenOrigin: "pages of this origin may not use this node"
        case .forbidden: "this is not among what you may do here"
        case .unauthorized: "say who you are: Authorization: Bearer …"
        case .tooManySockets: "this user, or this source address, has as many sockets here as it may"
        case .tooFast: "this comes too often; slow down"
        case .channelFull: "as many sockets listen to this channel here as may; connect to another node"
        case .tooManyChannels: "this is more channels than one socket may listen to"
        case .windowFull: "too many idempotency keys are remembered already; try again later"
        case .overloaded: "too much waits already; try again later"
        case .noOwner: "no member of the ring has weight, so nobody can own this key"
        case .retry: "the ring is changing; try again"
        case .frozen: "the owner has lost touch with ZooKeeper and waits; try again later"
        case .ownerUnreachable: "the owner can't be reached; try again"
        case .outcomeUnknown: "the owner went silent; the message may have been delivered: repeat it with the same Idempotency-Key"
        case .stopping: "this node is stopping; send to another one"
        case .internalError: "something went wrong inside this node"
        case .tooManyNames:
            "you have written to as many users and channels as you may; those that nobody uses are forgotten after a day"
        case .unavailable: "what this has to be written to can't be reached; ask again later"
        }
    }

    /// Seconds for `Retry-After`, where trying again makes sense.
    public var retryAfterSeconds: Int? {
        switch self {
        case .windowFull, .overloaded, .noOwner, .frozen, .channelFull, .unavailable: 2
        case .tooManySockets, .tooManyNames: 10
        case .tooFast: 1
        case .retry, .ownerUnreachable, .outcomeUnknown, .stopping: 1
        default: nil
        }
    }

    /// True when the message has certainly not been appended, so that a router may send it again by itself.
    public var isWorthARetry: Bool { self == .retry || self == .ownerUnreachable }
}

/// A problem together with what was wrong in this very case.
public struct ProblemReport: Error, Equatable, Sendable {
    /// Which row of the table.
    public let problem: Problem
    /// A sentence about this case.
    public let message: String

    /// The table's sentence is used where none is given.
    public init(_ problem: Problem, _ message: String? = nil) {
        self.problem = problem
        self.message = message ?? problem.message
    }

    /// This node knows no ring, so it can place no name.
    public static let notInARing = ProblemReport(.noOwner, "this node is not in a ring yet")
}

extension Key {
    /// A key for a request: a name that is not valid is the requester's fault.
    ///
    /// - Throws: ``Problem/badName`` with the sentence that says what is wrong with the name.
    public init(requested kind: KeyKind, name: [UInt8], hasher: KeyHasher) throws(ProblemReport) {
        do throws(NameError) { try self.init(kind, name: name, hasher: hasher) } catch {
            throw ProblemReport(.badName, error.message)
        }
    }
}
