// How the process's HTTP clients are made: one for each set of trusted authorities, which is one in nearly all processes.
import AsyncHTTPClient
import NIOCore
import NIOPosix
import NIOSSL

enum SharedHTTP {
    /// Each event stream and each waiting poll keeps a connection of its own, so the bound a host is a process's bound.
    static let connectionsPerHostMax = 20_000
    /// No byte for so long: the connection is dead. Nodes send a comment or answer a long poll far more often.
    static let silenceSecondsMax: Int64 = 60
    static let connectMillisecondsMax: Int64 = 2_500

    static func makeClient(_ tls: TLSConfiguration) -> HTTPClient {
        var configuration = HTTPClient.Configuration()
        configuration.tlsConfiguration = tls
        configuration.timeout = .init(connect: .milliseconds(connectMillisecondsMax), read: .seconds(silenceSecondsMax))
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = connectionsPerHostMax
        configuration.redirectConfiguration = .disallow
        // The pool would retry a refused connection until the request's deadline; whoever asks knows better when to try whom.
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        return HTTPClient(eventLoopGroup: MultiThreadedEventLoopGroup.singleton, configuration: configuration)
    }
}
