// How many messages of a producer are unanswered, and who waits for room. Places are given back many at once: one lock for all answers
// of one read.
import Synchronization

/// The places of one producer.
final class SendWindow: Sendable {
    private struct Gate {
        var unanswered = 0
        /// Completions that are being called, or about to be.
        var completing = 0
        var waiting: [UInt64: CheckedContinuation<Bool, Never>] = [:]
        var firstWaiting: UInt64 = 0
        var nextWaiting: UInt64 = 0
        var isClosed = false
        var onDrained: [CheckedContinuation<Void, Never>] = []

        var isDrained: Bool { unanswered == 0 && completing == 0 }
    }

    private let windowMax: Int
    private let waitingMax: Int
    private let gate = Mutex(Gate())

    /// - Parameters:
    ///   - placesMax: messages that are unanswered at once.
    ///   - waitingMax: callers that wait for a place at once.
    init(windowMax: Int, waitingMax: Int) {
        precondition(windowMax > 0, "a producer that may hold \(windowMax) messages can't send any")
        self.windowMax = windowMax
        self.waitingMax = waitingMax
    }

    /// - Returns: whether there was one.
    /// - Throws: that there is nothing to wait for either.
    func take() throws(ProducerError) -> Bool {
        let (isTaken, error): (Bool, ProducerError?) = gate.withLock { gate in
            if gate.isClosed { return (false, .closed) }
            // Whoever waits comes first, or a busy caller of `enqueue` could keep `send` waiting forever.
            if gate.unanswered < windowMax, gate.waiting.isEmpty {
                gate.unanswered += 1
                return (true, nil)
            }
            return (false, gate.waiting.count >= waitingMax ? .tooManyWaiting : nil)
        }
        if let error { throw error }
        return isTaken
    }

    /// Waits for one; `false` when the producer was closed meanwhile.
    func wait() async -> Bool {
        await withCheckedContinuation { continuation in
            let settled: Bool? = gate.withLock { gate in
                if gate.isClosed { return false }
                if gate.unanswered < windowMax, gate.waiting.isEmpty {
                    gate.unanswered += 1
                    return true
                }
                gate.waiting[gate.nextWaiting] = continuation
                gate.nextWaiting += 1
                return nil
            }
            if let settled { continuation.resume(returning: settled) }
        }
    }

    /// So many messages are answered, and their completions are called next: the places are free. Each goes to whoever has waited longest,
    /// without becoming free in between.
    func free(completing count: Int) {
        let next = gate.withLock { gate in
            gate.completing += count
            gate.unanswered -= count
            var next: [CheckedContinuation<Bool, Never>] = []
            while gate.unanswered < windowMax, let continuation = gate.waiting.removeValue(forKey: gate.firstWaiting) {
                gate.firstWaiting += 1
                gate.unanswered += 1
                next.append(continuation)
            }
            return next
        }
        for continuation in next { continuation.resume(returning: true) }
    }

    /// So many completions have been called.
    func completed(_ count: Int) {
        let drained = gate.withLock { gate in
            gate.completing -= count
            guard gate.isDrained else { return [CheckedContinuation<Void, Never>]() }
            defer { gate.onDrained = [] }
            return gate.onDrained
        }
        for continuation in drained { continuation.resume() }
    }

    /// Gives no more places.
    func close() {
        let refused = gate.withLock { gate in
            gate.isClosed = true
            defer { gate.waiting = [:] }
            return Array(gate.waiting.values)
        }
        for continuation in refused { continuation.resume(returning: false) }
    }

    /// Returns when every message is answered and every completion has been called.
    func drained() async {
        await withCheckedContinuation { continuation in
            let isDrained = gate.withLock { gate in
                if !gate.isDrained { gate.onDrained.append(continuation) }
                return gate.isDrained
            }
            if isDrained { continuation.resume() }
        }
    }
}
