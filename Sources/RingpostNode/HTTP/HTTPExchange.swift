// One request and its answer, for the routes: they don't know whether the request came on an HTTP/1.1 connection, where answers keep their
// order and a stream takes the whole connection, or on a stream of its own.
import NIOCore
import RingpostCore
import RingpostWire

/// Used on its shard's event loop only. One that has at most three words is handed on without an allocation.
protocol HTTPExchange {
    /// What the node remembers of the other side from one request to the next.
    var peer: HTTPPeer { get }
    /// The other side's address, for limits.
    var peerAddress: SourceAddress? { get }
    /// The other side's address, for operators.
    var remoteText: String { get }
    /// The request has not been answered, and the client is there.
    var isAwaited: Bool { get }
    /// The client has closed its side: that it goes altogether won't be seen before it is answered.
    var clientHasFinished: Bool { get }

    /// Answers, once.
    func respond(_ response: HTTPResponse)
    /// The request is a publish: the answer is its receipt, which the sink gets with that tag.
    func awaitReceipt(for key: Key) -> (sink: any PublishSink, tag: UInt64)
    /// The answer may take long: the request is cancelled if the client goes first, and ended early if the node stops.
    func hold(_ request: any HeldRequest)
    /// Calls `work` until it returns true: at once, then in the connection's turns. The connection's next request waits for that.
    func runInTurns(_ work: @escaping () -> Bool)

    /// What was asked for can be a stream: nothing else is under way that would have to be answered first.
    var mayBecomeStream: Bool { get }
    /// The stream takes the place of the answer; returns bytes that came early, `nil` where the client is gone.
    ///
    /// - Parameter writeHead: is given the headers that every answer on this port carries.
    func becomeStream(_ stream: Connection, _ writeHead: ([HTTPResponseWriter.Header], inout ByteBuffer) -> Void) -> ByteBuffer?
}

/// A request whose answer waits for something that may never come.
protocol HeldRequest: AnyObject {
    var user: Key? { get }
    var grant: ClientGrant? { get }
    /// Answers with what is there.
    func finish(_ disconnect: Disconnect?)
    /// Answers that it ends, and why.
    func end(_ disconnect: Disconnect)
    /// Answers as soon as it is known what is there: the client waits, but can't be heard any more.
    func hasten()
    /// The client is gone.
    func cancel()
}

/// The API key that was brought last on a connection, as it was written, and what it may do.
struct KnownAPIKey {
    let text: [UInt8]
    /// Of the file of keys: another one has to be asked again.
    let generation: UInt64
    let grant: APIGrant
}

/// What a node remembers of the other side of a connection. All requests of the connection share it.
final class HTTPPeer {
    /// The client has been let in; what it asks for later is not a new client's.
    var isAdmitted = false
    /// The API key that was brought last, so that it is looked up once a connection and not once a message.
    var apiKey: KnownAPIKey?
    /// Whom a proxy has named before the first request.
    var proxied: SourceAddress?
    /// A host that requests may be for.
    var host: [UInt8] = []
}

extension HTTPExchange {
    func respond(_ report: ProblemReport) { respond(.problem(report.problem, report.message)) }

    /// Answers when the future does.
    ///
    /// - Parameter head: for the log, where something goes wrong.
    func respond(_ response: EventLoopFuture<HTTPResponse>, to head: HTTPRequestHead, shard: Shard) {
        response.hop(to: shard.eventLoop).assumeIsolated().whenComplete { result in
            switch result {
            case .success(let response): respond(response)
            case .failure(let report as ProblemReport): respond(report)
            case .failure(let error):
                shard.counters.handlerErrors += 1
                shard.logger.error("a request failed", metadata: ["path": "\(LogText.escaped(head.pathText))", "error": "\(error)"])
                respond(.problem(.internalError))
            }
        }
    }
}
