// The C handle and everything that guards it: who may call into it, which requests are under way, and how it ends. The handle never
// leaves this file except for the length of one call under the lock, so that nobody can use it after `zookeeper_close`.

import CZooKeeper
import Foundation
import Logging
import Synchronization

/// One `zhandle_t`, from `zookeeper_init2` to `zookeeper_close`.
///
/// Lifetime: the library holds one reference (as the watcher's context) until `zookeeper_close` has returned.
final class SessionHandle: Sendable {
    /// The requests under way in one session. Each writes a byte into the library's wake-up pipe, which holds 65,536; a full pipe makes
    /// the library drop its connection. Further ones are refused as `throttled`.
    static let requestsUnderWayMax = 10_000

    /// A C handle on its way to the closing thread. Unchecked: the library is thread-safe, and the sender forgets it.
    private struct Library: @unchecked Sendable {
        let pointer: OpaquePointer
    }

    private enum Phase {
        /// In use. Can transition to closing.
        case open(Library)
        /// `zookeeper_close` is running on its own thread; these wait for it. Can transition to closed.
        case closing(waiting: [CheckedContinuation<Void, Never>])
        /// Not opened yet, or gone. Can transition to open, once.
        case closed
    }

    private struct State {
        var phase = Phase.closed
        var requests: [ObjectIdentifier: any RequestUnderWay] = [:]
        var sessionID: Int64 = 0
        var timeoutMilliseconds: Int
    }

    private let state: Mutex<State>
    private let onEvent: @Sendable (ZooKeeperSessionEvent) -> Void

    init(
        servers: String, sessionTimeoutMilliseconds: Int, credentials: ZooKeeperCredentials?, logger: Logger,
        onEvent: @escaping @Sendable (ZooKeeperSessionEvent) -> Void
    ) throws(ZooKeeperError) {
        self.onEvent = onEvent
        state = Mutex(State(timeoutMilliseconds: sessionTimeoutMilliseconds))
        guard let timeout = Int32(exactly: sessionTimeoutMilliseconds), timeout > 0, !servers.utf8.contains(0) else {
            throw ZooKeeperError(ZBADARGUMENTS, operation: "connect", path: servers)
        }
        LibraryLog.use(logger)
        // Events can arrive before the call below returns; they wait for the lock, and so find the phase open.
        let failure = state.withLock { state -> Int32? in
            let context = Unmanaged.passRetained(self)
            guard
                let pointer = zookeeper_init2(
                    servers, Completions.watcher, timeout, nil, context.toOpaque(), ZOO_NO_LOG_CLIENTENV, LibraryLog.callback)
            else {
                let failure = errno
                context.release()
                return failure
            }
            state.phase = .open(Library(pointer: pointer))
            // Nobody can have asked anything yet, so the credentials come before the first request.
            if let credentials, !Self.add(credentials, to: pointer) { return ENOMEM }
            return nil
        }
        if let failure {
            beginClosing(waiting: nil)
            throw ZooKeeperError(failure == EINVAL ? ZBADARGUMENTS : ZSYSTEMERROR, operation: "connect", path: servers)
        }
    }

    /// The library keeps a copy and sends it anew with every connection, ahead of what is queued. No completion: it would be called on the
    /// I/O thread, for a lost connection too, and only for the first answer. A refusal, also a later one, is told as a state of the
    /// connection, `ZOO_AUTH_FAILED_STATE`.
    private static func add(_ credentials: ZooKeeperCredentials, to library: OpaquePointer) -> Bool {
        let certificate = credentials.certificate
        return certificate.withUnsafeBytes { bytes in
            zoo_add_auth(library, "digest", bytes.bindMemory(to: CChar.self).baseAddress, Int32(bytes.count), nil, nil) == ZOK.rawValue
        }
    }

    /// 0 before the first connection; kept after the end.
    var sessionID: Int64 { state.withLock { $0.sessionID } }

    /// What was asked for, before the first connection.
    var timeoutMilliseconds: Int { state.withLock { $0.timeoutMilliseconds } }

    // MARK: Requests

    /// Makes one asynchronous call and waits for its completion. `call` gets the C handle and the pointer for the completion, and must
    /// not keep the former; it returns the library's code, which tells whether a completion will come. The completion it names must be the one
    /// for `Value`: C keeps no types.
    func perform<Value: Sendable>(
        _ operation: String, _ path: String, answer: Value.Type, multi: MultiBuffers? = nil,
        _ call: (OpaquePointer, UnsafeRawPointer) -> Int32
    ) async throws(ZooKeeperError) -> Value {
        let result: Result<Value, ZooKeeperError> = await withCheckedContinuation { continuation in
            let request = PendingRequest<Value>(operation, path, multi: multi, session: self, continuation: continuation)
            if let code = start(request, pointer: request.retainForLibrary, call) { request.fail(code: code) }
        }
        return try result.get()
    }

    /// Returns `nil` when a completion will come, otherwise the reason why none will.
    ///
    /// The lock is held during the call, so that closing cannot begin in its middle. No deadlock: the calls only queue, and the library
    /// never waits for its completion thread (which may wait for this lock) except in `zookeeper_close`, which runs without it.
    private func start(
        _ request: any RequestUnderWay, pointer: () -> UnsafeRawPointer, _ call: (OpaquePointer, UnsafeRawPointer) -> Int32
    ) -> Int32? {
        state.withLock { state in
            guard case .open(let library) = state.phase else { return ZCLOSING.rawValue }
            guard state.requests.count < Self.requestsUnderWayMax else { return ZTHROTTLEDOP.rawValue }
            state.requests[ObjectIdentifier(request)] = request
            let code = call(library.pointer, pointer())
            guard code != ZOK.rawValue else { return nil }
            // A refused call has no completion, so the reference that the library would have given back is given back here.
            state.requests[ObjectIdentifier(request)] = nil
            request.releaseFromLibrary()
            return Self.reason(code, connection: zoo_state(library.pointer))
        }
    }

    /// The library refuses calls of a dead session with codes that don't say why it is dead.
    private static func reason(_ code: Int32, connection: Int32) -> Int32 {
        switch connection {
        case ZOO_EXPIRED_SESSION_STATE: ZSESSIONEXPIRED.rawValue
        case ZOO_AUTH_FAILED_STATE: ZAUTHFAILED.rawValue
        default: code
        }
    }

    /// The library has called this request's completion.
    func forget(_ request: any RequestUnderWay) {
        state.withLock { $0.requests[ObjectIdentifier(request)] = nil }
    }

    // MARK: Events, on the completion thread

    /// A change of the connection; `library` is the handle as the watcher got it, since the first event can precede our own copy.
    func onConnectionState(_ connection: Int32, library: OpaquePointer) {
        switch connection {
        case ZOO_CONNECTED_STATE:
            let id = zoo_client_id(library).pointee.client_id
            let timeout = Int(zoo_recv_timeout(library))
            state.withLock { state in
                state.sessionID = id
                state.timeoutMilliseconds = timeout
            }
            onEvent(.connected(sessionID: id, negotiatedTimeoutMilliseconds: timeout))
        case ZOO_CONNECTING_STATE:
            onEvent(.connecting)
        case ZOO_EXPIRED_SESSION_STATE:
            failRequests(code: ZSESSIONEXPIRED.rawValue)
            onEvent(.expired)
        case ZOO_AUTH_FAILED_STATE:
            failRequests(code: ZAUTHFAILED.rawValue)
            onEvent(.authenticationFailed)
        default:
            // Read-only and associating are states of features that are never asked for.
            break
        }
    }

    func onWatch(_ event: ZooKeeperSessionEvent) {
        onEvent(event)
    }

    /// A request that slips in while the library's I/O thread ends itself would otherwise wait until the session is closed. They stay in
    /// the table: the library still holds its references, and may still call the completions.
    private func failRequests(code: Int32) {
        let requests = state.withLock { Array($0.requests.values) }
        for request in requests { request.fail(code: code) }
    }

    // MARK: End

    /// Closes the session and returns when that is done. Any number of callers, at any time.
    func close() async {
        await withCheckedContinuation { beginClosing(waiting: $0) }
    }

    /// Begins to close without waiting; `waiting` is resumed when it is done.
    func beginClosing(waiting: CheckedContinuation<Void, Never>?) {
        let (library, done) = state.withLock { state -> (Library?, Bool) in
            switch state.phase {
            case .open(let library):
                state.phase = .closing(waiting: waiting.map { [$0] } ?? [])
                return (library, false)
            case .closing(var others):
                if let waiting { others.append(waiting) }
                state.phase = .closing(waiting: others)
                return (nil, false)
            case .closed:
                return (nil, true)
            }
        }
        if done { waiting?.resume() }
        guard let library else { return }
        // A thread of its own: zookeeper_close joins the completion thread, on which we may be, and waits up to 4.5 s for the server,
        // for which neither an event loop nor Swift's few task threads may be held.
        Thread.detachNewThread { self.close(library) }
    }

    private func close(_ library: Library) {
        // The code is of no interest: whatever it is, the handle is freed and its threads are gone.
        _ = zookeeper_close(library.pointer)
        // The completion thread leaves as soon as it finds its queue empty while closing, often before the library has queued all
        // ZCLOSING completions (met: in one of five closings with 200 requests under way nearly all were lost). Those never come.
        let (requests, waiting) = state.withLock { state in
            defer {
                state.phase = .closed
                state.requests = [:]
            }
            guard case .closing(let waiting) = state.phase else {
                preconditionFailure("Only closing leads to closed, but the session is \(state.phase).")
            }
            return (Array(state.requests.values), waiting)
        }
        for request in requests {
            request.fail(code: ZCLOSING.rawValue)
            request.releaseFromLibrary()
        }
        for waiter in waiting { waiter.resume() }
        // The watcher's reference, taken in init.
        Unmanaged.passUnretained(self).release()
    }
}
