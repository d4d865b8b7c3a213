// The public face of one ZooKeeper session: open it, hear of it, close it. The requests are in `ZooKeeperSession+Requests.swift`, the C
// handle in `SessionHandle.swift`. No retries and no caching: what a lost connection means is for the caller to decide.

import Logging

/// A session with a ZooKeeper ensemble, over Debian's `libzookeeper_mt`.
///
/// The library connects and reconnects by itself, to one server after the other. Its requests are answered in the order in which they
/// were made. Cancelling a task does not cancel its request: every request ends by an answer, by the loss of the connection (at the latest
/// two thirds of the session time-out after the server fell silent), by the session's expiry, or by `close`.
///
/// A client learns of its session's expiry **only when it reconnects**; until then there is nothing but `connecting`.
///
/// Dropping the last reference closes the session in the background.
public final class ZooKeeperSession: Sendable {
    let handle: SessionHandle
    /// Who may use what it creates, unless a request says otherwise.
    let access: ZNodeAccess

    /// Begins to connect and returns; the first `connected` event says when a session exists.
    ///
    /// - Parameters:
    ///   - servers: `host:port,host:port…`, optionally followed by `/path` as the root of all paths. Names are looked up here, blocking;
    ///     one that cannot be is an error.
    ///   - sessionTimeoutMilliseconds: what is asked for; the server grants between 2 and 20 of its ticks.
    ///   - credentials: sent with every connection, before anything else. `nil`: the session is nobody in particular. The server takes any
    ///     password; a wrong one shows only where an access control list wants another (`noAuth`). A server that doesn't know the digest
    ///     scheme ends the session with `authenticationFailed`.
    ///   - logger: gets the C library's log at debug, at most `LogRateLimit.linesPerWindowMax` lines in 5 s. The library knows no
    ///     owner of a line: with several sessions, all lines go to the logger of the last one.
    ///   - onEvent: called on the C library's thread, one event at a time, possibly before this initializer has returned, and never after
    ///     `close` has. It must not block: answers to requests wait for the same thread.
    /// - Throws: `badArguments` for a malformed list or time-out, code -1 when names cannot be looked up or resources lack.
    public init(
        servers: String, sessionTimeoutMilliseconds: Int, credentials: ZooKeeperCredentials? = nil, logger: Logger,
        onEvent: @escaping @Sendable (ZooKeeperSessionEvent) -> Void
    ) throws(ZooKeeperError) {
        access = credentials == nil ? .anybody : .creator
        handle = try SessionHandle(
            servers: servers, sessionTimeoutMilliseconds: sessionTimeoutMilliseconds, credentials: credentials, logger: logger,
            onEvent: onEvent)
    }

    deinit {
        handle.beginClosing(waiting: nil)
    }

    /// The session's number, 0 before the first connection. Kept after the session's end.
    public var sessionID: Int64 { handle.sessionID }

    /// The time-out that the server granted; before the first connection, what was asked for.
    public var negotiatedTimeoutMilliseconds: Int { handle.timeoutMilliseconds }

    /// Ends the session: its ephemeral znodes go, if a server can be told; otherwise they stay until its time-out.
    ///
    /// Requests under way end with `closing`, also those that were done; later ones too. Returns when all of them have ended and no event
    /// will come any more: at once without a connection, within about 4.5 s with a server that does not answer. Idempotent.
    public func close() async {
        await handle.close()
    }
}
