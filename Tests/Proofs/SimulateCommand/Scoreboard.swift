// What is shown while seeds are played, and when one has failed.

import Foundation
import Simulation

/// Counts runs and prints how far they are.
struct Scoreboard {
    private let runs: Int
    private let isTerminal: Bool
    private let start = ContinuousClock.now
    private var lastShown = ContinuousClock.now
    private var done = 0
    private(set) var failures = 0
    private var messages = 0
    private var receipts = 0
    private var gaps = 0
    private var lossy = 0
    private var milliseconds: Int64 = 0
    private var ticksMost = 0
    private var most: [String: Int] = [:]

    init(runs: Int, isTerminal: Bool) {
        self.runs = runs
        self.isTerminal = isTerminal
    }

    mutating func count(_ outcome: SimulationOutcome) {
        done += 1
        if !outcome.violations.isEmpty { failures += 1 }
        messages += outcome.messages
        receipts += outcome.receipts
        gaps += outcome.gaps
        if outcome.lostMailboxes > 0 { lossy += 1 }
        milliseconds += outcome.milliseconds
        ticksMost = max(ticksMost, outcome.ticksToRecover)
        most.merge(outcome.most) { max($0, $1) }
        progress()
    }

    /// In a terminal a line that changes; elsewhere a line now and then.
    private mutating func progress() {
        guard ContinuousClock.now - lastShown >= .seconds(isTerminal ? 1 : 20) else { return }
        lastShown = .now
        let line = "\(done) of \(runs) runs, \(failures) failed, \(rate) runs/s"
        FileHandle.standardError.write(Data((isTerminal ? "\r\(line)\u{1B}[K" : "\(line)\n").utf8))
    }

    private var rate: String { String(format: "%.1f", Double(done) / seconds) }

    private var seconds: Double { max(0.001, (ContinuousClock.now - start) / .seconds(1)) }

    /// One line for one run.
    func show(_ seed: UInt64, _ schedule: Schedule, _ outcome: SimulationOutcome) {
        print(
            "seed \(seed) \(schedule.name): \(outcome.violations.first?.description ?? "ok"), \(outcome.receipts) of \(outcome.messages) "
                + "acknowledged, \(outcome.gaps) gaps, \(outcome.lostMailboxes) mailboxes lost by design, recovered in "
                + "\(outcome.ticksToRecover) ticks, \(outcome.events) events, fingerprint \(String(outcome.fingerprint, radix: 16))")
    }

    /// A failure: the seed, what was done, what went wrong.
    func report(_ seed: UInt64, _ schedule: Schedule, _ outcome: SimulationOutcome, command: String) {
        if isTerminal { FileHandle.standardError.write(Data("\n".utf8)) }
        print("seed \(seed), schedule \(schedule.name): FAILED")
        for line in outcome.played { print("  \(line)") }
        for violation in outcome.violations { print("  VIOLATION \(violation)") }
        print("  again: \(command)")
    }

    func finish() {
        if isTerminal { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
        print(
            "\(done) runs, \(failures) failed; \(milliseconds / 60_000) simulated minutes in \(Int(seconds)) s (\(rate) runs/s); "
                + "\(receipts) of \(messages) messages acknowledged; \(gaps) gaps told, all in the \(lossy) runs whose schedule takes more "
                + "than the design covers; slowest recovery \(ticksMost) ticks of 50 ms")
        print("largest queues: " + queues)
    }

    private var queues: String { most.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", ") }

    /// The result for docs/measurements/simulation.md.
    var table: String {
        let rows = [
            ("runs", "\(done)"), ("failed", "\(failures)"),
            ("simulated", "\(milliseconds / 60_000) minutes in \(Int(seconds)) s"),
            ("messages", "\(messages), acknowledged \(receipts)"),
            ("gaps told", "\(gaps), all in the \(lossy) runs whose schedule takes more than the design covers"),
            ("slowest recovery", "\(ticksMost) ticks of 50 ms"), ("largest queues", queues),
        ]
        return (["| | |", "| --- | --- |"] + rows.map { "| \($0.0) | \($0.1) |" }).map { $0 + "\n" }.joined()
    }
}
