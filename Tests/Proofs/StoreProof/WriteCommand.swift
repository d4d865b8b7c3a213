// Writes until somebody kills it or the store fails, and says what was acknowledged: afterwards all of that has to be there.
import ArgumentParser
import Dispatch
import Foundation
import Glibc
import RingpostCore
import RingpostStore
import Synchronization

struct WriteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "write", abstract: "Write until it is killed or the store fails; each line says a slot and up to where it is there.")

    @Argument(help: "The data directory.")
    var directory: String
    @Option(help: "What \"there\" means: fsync or written.")
    var durability = StoreDurability.fsync
    @Option(help: "How many event loops write.")
    var loops = 3
    @Option(help: "How many ticks each writes, and then closes the store; without it there is no end.")
    var ticks = Int.max

    func run() throws {
        let opened: OpenedStore
        do {
            opened = try SlotStore.open(
                directory, for: StoreOwner(cluster: "proof", node: "n1"), durability: durability, fresh: UInt64.random(in: 1 ... .max),
                now: Moment.now.monotonic
            ) { failure in Self.say("failed: \(failure)") }
        } catch {
            Self.say("refused: \(error)")
            throw ExitCode(2)
        }
        Self.say("opened \(opened.lineage) \(opened.loss ?? "whole")")
        DispatchQueue.concurrentPerform(iterations: loops) { loop in write(loop, into: opened) }
        Self.say(opened.store.close().map { "ended: \($0)" } ?? "closed")
    }

    private func write(_ loop: Int, into opened: OpenedStore) {
        var load = LoopLoad(loop: loop, loops: loops, mailboxes: 20, payloadBytes: 512, messagesPerTick: 16, heads: opened.heads)
        let done = DispatchSemaphore(value: 0)
        // A few ticks under way, as an event loop that doesn't wait.
        let underWayMax = 4
        var underWay = 0
        let failed = Mutex(false)
        for _ in 0..<ticks {
            if failed.withLock({ $0 }) { break }
            let (tick, ends) = load.tick(now: .now)
            while !opened.store.write(
                tick,
                then: { failure in
                    if failure == nil {
                        Self.say(ends.map { "there \($0.slot) \($0.sequence)" }.joined(separator: "\n"))
                    } else {
                        failed.withLock { $0 = true }
                    }
                    done.signal()
                })
            { usleep(1_000) }
            underWay += 1
            if underWay == underWayMax {
                done.wait()
                underWay -= 1
            }
        }
        for _ in 0..<underWay { done.wait() }
    }

    /// At once and whole, because the process may be killed after any line.
    private static func say(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = bytes.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
    }
}

extension StoreDurability: ExpressibleByArgument {}
