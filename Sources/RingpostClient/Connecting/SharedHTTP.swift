// The process's one HTTP client, made when it is first needed: a command that only prints its help starts no thread.
import AsyncHTTPClient
import NIOCore
import NIOPosix

enum SharedHTTP {
    /// Each event stream and each waiting poll keeps a connection of its own, so the bound a host is a process's bound.
    static let connectionsPerHostMax = 20_000
    /// No byte for so long: the connection is dead. Nodes send a comment or answer a long poll far more often.
    static let silenceSecondsMax: Int64 = 60
    static let connectMillisecondsMax: Int64 = 2_500

    /// Lives as long as the process; connections close with it.
    static let client: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.timeout = .init(connect: .milliseconds(connectMillisecondsMax), read: .seconds(silenceSecondsMax))
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connectionsPerHostMax
        configuration.redirectConfiguration = .disallow
        // The pool would retry a refused connection until the request's deadline; whoever asks knows better when to try whom.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        return HTTPClient(eventLoopGroup: MultiThreadedEventLoopGroup.singleton, configuration: configuration)
    }()
}
