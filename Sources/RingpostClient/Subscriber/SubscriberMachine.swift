// Where a subscriber stands and what it does when its connection ends, as a value: no socket, no clock, no random
// numbers of its own. It obeys: it never comes back earlier than it was asked to, keeps an appointment with the node that
// gave it, and goes where a node that stops would rather have it, if that is a place its user knows.

/// A subscriber's decisions.
struct SubscriberMachine: Sendable {
    /// A connection that lived for so long was a good one; the next pause is a short one again.
    static let provenMilliseconds: Int64 = 1_000

    /// Where to resume; at first where the caller wants to begin, `nil` for now.
    private(set) var cursor: String?
    /// Where each channel is, over a transport that resumes them one by one.
    private(set) var channelCursors: [String: String] = [:]
    /// All subscriptions are resumed with one cursor, which comes by itself.
    let resumesTogether: Bool
    private let endpoints: [Endpoint]
    private let followsAddresses: Bool
    /// Whose turn it is in `endpoints`.
    private var position = 0
    /// An address that a node named and that is none of `endpoints`.
    private var foreign: Endpoint?
    private var backoff = Backoff()
    /// An event stream's `retry:` holds for all later pauses, unless the same stream ends with a wish of its own.
    private var retryMilliseconds: Int?

    /// - Parameters:
    ///   - endpoints: what the caller knows, at least one; each attempt goes to the next.
    ///   - followsAddresses: also goes to addresses that a node names and the caller did not.
    ///   - resumesTogether: several subscriptions share one cursor.
    init(position: Subscriber.Place, endpoints: [Endpoint], followsAddresses: Bool = false, resumesTogether: Bool = false) {
        precondition(!endpoints.isEmpty, "a subscriber needs an address to connect to")
        cursor = position.cursor
        channelCursors = position.channels
        self.resumesTogether = resumesTogether
        self.endpoints = endpoints
        self.followsAddresses = followsAddresses
    }

    /// Where to connect next, or where it is connected.
    var endpoint: Endpoint { foreign ?? endpoints[position] }

    /// Something has arrived. `nil`: nothing that the caller needs to hear.
    mutating func onItem(_ item: StreamItem) -> SubscriberEvent? {
        switch item {
        case .attached(let cursor):
            if !resumesTogether { self.cursor = cursor }
            return .attached(cursor: cursor)
        case .listening(let channel, let cursor):
            channelCursors[channel] = cursor
            return .listening(channel: channel, cursor: cursor)
        case .channelGap(let channel, let cursor):
            channelCursors[channel] = cursor
            return .channelGap(channel: channel, cursor: cursor)
        case .gap(let cursor):
            if !resumesTogether { self.cursor = cursor }
            return .gap(cursor: cursor)
        case .message(let message):
            if let channel = message.channel {
                channelCursors[channel] = message.cursor
            } else if !resumesTogether {
                cursor = message.cursor
            }
            return .message(message)
        case .resume(let cursor):
            if resumesTogether { self.cursor = cursor }
            return nil
        case .present(let channel, let subscribers, let users): return .present(channel: channel, subscribers: subscribers, users: users)
        case .joined(let channel, let users): return .joined(channel: channel, users: users)
        case .left(let channel, let users): return .left(channel: channel, users: users)
        case .retry(let milliseconds):
            retryMilliseconds = milliseconds
            return nil
        case .expiring(let milliseconds): return .expiring(at: milliseconds)
        case .renewalRefused(let reason): return .notRenewed(reason)
        case .other, .closing: return nil
        }
    }

    enum Next: Equatable {
        /// Connect to ``SubscriberMachine/endpoint``.
        case connect(afterMilliseconds: Int)
        case stop(SubscriberError)
    }

    /// The connection has ended, or could not be made.
    mutating func onDisconnect(
        _ disconnect: Disconnect, livedMilliseconds: Int64, using generator: inout some RandomNumberGenerator
    ) -> Next {
        if let error = disconnect.final { return .stop(error) }
        if livedMilliseconds >= Self.provenMilliseconds { backoff.reset() }
        turn(disconnect)
        let wish = disconnect.wishMilliseconds ?? retryMilliseconds
        // Obeyed once. A node that defers a stream puts its wish into `retry:` too, for browsers, and no other node has that wish.
        if disconnect.wishMilliseconds != nil { retryMilliseconds = nil }
        return .connect(afterMilliseconds: backoff.next(wish: wish, using: &generator))
    }

    /// The cases: 1 an appointment is kept where it was given; 2 a node names another one that the caller knows; 3 or, where
    /// that is allowed, any other; 4 whoever is next.
    private mutating func turn(_ disconnect: Disconnect) {
        if disconnect.isAppointment { return }  // 1
        let names = disconnect.at.map { $0.named(by: endpoint) }
        let known = names.lazy.compactMap { [endpoints] in endpoints.firstIndex(of: $0) }.first
        if let known {  // 2
            position = known
            foreign = nil
        } else if followsAddresses, let named = names.first {  // 3
            foreign = named
        } else {  // 4
            foreign = nil
            position = (position + 1) % endpoints.count
        }
    }
}
