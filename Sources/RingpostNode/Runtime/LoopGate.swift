// The way to a node's event loops for whoever runs on none of them (the membership, tasks, look-ups of names), and its end: what would come when
// the loops have ended is dropped here, because NIO takes it for a mistake that may crash.
import NIOCore
import Synchronization

final class LoopGate: Sendable {
    private struct State {
        var isClosed = false
        /// Answers that somebody on an event loop has been promised.
        var owed = 0
        var waiting: CheckedContinuation<Void, Never>?
    }

    private let state = Mutex(State())

    /// Runs the body on the event loop.
    ///
    /// - Returns: false when the loops end: then it is not run.
    @discardableResult
    func execute(on eventLoop: any EventLoop, _ body: @escaping @Sendable () -> Void) -> Bool {
        // Under the lock: the loops end only behind what came before the end.
        state.withLock { state in
            if state.isClosed { return false }
            eventLoop.execute(body)
            return true
        }
    }

    /// Has a task keep a promise. On the promise's event loop.
    func complete<Value: Sendable>(_ promise: EventLoopPromise<Value>, with work: @escaping @Sendable () async throws -> Value) {
        let isOpen = state.withLock { state in
            if !state.isClosed { state.owed += 1 }
            return !state.isClosed
        }
        guard isOpen else { return promise.fail(ChannelError.eof) }
        Task {
            do { promise.succeed(try await work()) } catch { promise.fail(error) }
            state.withLock { state -> CheckedContinuation<Void, Never>? in
                state.owed -= 1
                if state.owed > 0 { return nil }
                defer { state.waiting = nil }
                return state.waiting
            }?.resume()
        }
    }

    /// Returns when what was promised is there; nothing comes to an event loop after it. Whatever answers has ended before, so that no answer
    /// takes long. Once.
    func close() async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                state.isClosed = true
                if state.owed > 0 { state.waiting = continuation }
                return state.owed == 0
            }
            if isDone { continuation.resume() }
        }
    }
}
