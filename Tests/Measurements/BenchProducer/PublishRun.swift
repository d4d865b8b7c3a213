// One run of the producer: who is sent what next, and what came of it.

import Dispatch
import Glibc
import RingpostClient
import Synchronization

/// The next message is handed over by whoever has got an answer, so that no thread waits for a place.
final class PublishRun: Sendable {
    private struct Progress {
        var sent = 0
        var acknowledged = 0
        var refused = 0
        var firstRefusal: ProducerError?
        var random: UInt64 = 42
        var onEnd: CheckedContinuation<Void, Never>?
        var ended: UInt64 = 0
    }

    private let producer: Producer
    private let destinations: [Producer.Destination]
    private let messages: Int
    private let message: BenchMessage
    private let progress = Mutex(Progress())
    private let began = BenchClock.now()
    private let cpuBegan = BenchClock.cpu()

    init(_ producer: Producer, users: Int, messages: Int, size: Int) {
        self.producer = producer
        self.messages = messages
        destinations = (0..<users).map { .user("u\($0)") }
        message = BenchMessage(size: size)
    }

    /// As many as the window takes, and one more for each answer.
    func asFastAsAnswered(window: Int) async {
        await withCheckedContinuation { continuation in
            progress.withLock { $0.onEnd = continuation }
            for _ in 0..<min(window, messages) { sendNext() }
        }
    }

    /// Evenly over time; what the window has no place for is sent when it has.
    func paced(rate: Int) async throws {
        for number in 0..<messages {
            let due = began + UInt64(number) * 1_000_000_000 / UInt64(rate)
            let now = BenchClock.now()
            if due > now { try await Task.sleep(nanoseconds: due - now) }
            guard let destination = takeNext() else { break }
            try await producer.enqueueWaiting(message.stamped(), to: destination) { self.onAnswer($0) }
        }
        await withCheckedContinuation { continuation in
            let isOver = progress.withLock { progress in
                progress.onEnd = continuation
                return progress.acknowledged + progress.refused == messages
            }
            if isOver { end() }
        }
    }

    private func sendNext() {
        guard let destination = takeNext() else { return }
        do throws(ProducerError) {
            let isTaken = try producer.enqueue(message.stamped(), to: destination) {
                self.onAnswer($0)
                self.sendNext()
            }
            if !isTaken { onAnswer(.failure(.tooManyWaiting)) }
        } catch {
            onAnswer(.failure(error))
        }
    }

    private func takeNext() -> Producer.Destination? {
        let index: Int? = progress.withLock { progress in
            guard progress.sent < messages else { return nil }
            progress.sent += 1
            // Knuth's MMIX generator: the users take turns in no order, the same one in every run.
            progress.random = progress.random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(progress.random >> 33) % destinations.count
        }
        return index.map { destinations[$0] }
    }

    private func onAnswer(_ result: Result<SendReceipt, ProducerError>) {
        let isOver = progress.withLock { progress in
            switch result {
            case .success: progress.acknowledged += 1
            case .failure(let error):
                progress.refused += 1
                if progress.firstRefusal == nil { progress.firstRefusal = error }
            }
            if progress.acknowledged + progress.refused < messages { return false }
            progress.ended = BenchClock.now()
            return progress.onEnd != nil
        }
        if isOver { end() }
    }

    private func end() {
        let waiting = progress.withLock { progress in
            defer { progress.onEnd = nil }
            return progress.onEnd
        }
        waiting?.resume()
    }

    /// One line of JSON.
    var report: String {
        progress.withLock { progress in
            let seconds = Double(progress.ended - began) / 1e9
            let refusal = progress.firstRefusal.map { ",\"firstRefusal\":\"\($0)\"" } ?? ""
            return """
                {"messages":\(progress.sent),"acknowledged":\(progress.acknowledged),"refused":\(progress.refused),"seconds":\(seconds),\
                "perSecond":\(Int(Double(progress.acknowledged) / seconds)),"cpuSeconds":\(BenchClock.cpu() - cpuBegan)\(refusal)}
                """
        }
    }
}
