// Holds a store against what its writer has said: whatever was "there" has to be there, whole and in order.
import ArgumentParser
import Dispatch
import Foundation
import Glibc
import RingpostCore
import RingpostStore
import Synchronization

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Open a store, and look whether all is there that write has acknowledged.")

    @Argument(help: "The data directory.")
    var directory: String
    @Argument(help: "What write has printed.")
    var output: String
    @Option(help: "What write was told, and may be changed here.")
    var durability = StoreDurability.fsync

    func run() throws {
        let acknowledged = try Self.acknowledged(String(contentsOfFile: output, encoding: .utf8))
        let now = Moment.now.monotonic
        let opened: OpenedStore
        do {
            opened = try SlotStore.open(
                directory, for: StoreOwner(cluster: "proof", node: "n1"), durability: durability, fresh: UInt64.random(in: 1 ... .max),
                now: now
            ) { print("failed: \($0)") }
        } catch {
            print("refused: \(error)")
            throw ExitCode(2)
        }
        print("opened \(opened.lineage) \(opened.loss ?? "whole")")
        var missing = 0
        for (slot, sequence) in acknowledged.sorted(by: { $0.key < $1.key }) {
            let complaint = Self.complaint(slot, sequence, opened, now)
            if let complaint { print("slot \(slot): \(complaint)") }
            if complaint != nil { missing += 1 }
        }
        print("\(acknowledged.count) slots, \(missing) of them lack something")
        opened.store.close()
        if missing > 0 || acknowledged.isEmpty { throw ExitCode.failure }
    }

    /// Up to where each slot was said to be there. A last line without an end was never said.
    private static func acknowledged(_ text: String) -> [Int: UInt64] {
        var acknowledged: [Int: UInt64] = [:]
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            let words = line.split(separator: " ")
            guard words.count == 3, words[0] == "there", let slot = Int(words[1]), let sequence = UInt64(words[2]) else { continue }
            acknowledged[slot] = max(acknowledged[slot] ?? 0, sequence)
        }
        return acknowledged
    }

    private static func complaint(_ slot: Int, _ sequence: UInt64, _ opened: OpenedStore, _ now: Int64) -> String? {
        guard let head = opened.heads[slot] else { return "it has no head" }
        guard head.position >= sequence else { return "\(sequence) was acknowledged, its head is at \(head.position)" }
        let result = Mutex<Result<StoredSlot, StoreDamage>?>(nil)
        let done = DispatchSemaphore(value: 0)
        let limits = StoredHistoryLimits()
        let request = SlotLoad(slot: slot, head: head, now: now, hasher: LoopLoad.hasher, limits: limits, chunkBytesMax: 256 * 1_024)
        while !opened.store.load(
            request,
            then: { loaded in
                result.withLock { $0 = loaded }
                done.signal()
            })
        { usleep(1_000) }
        done.wait()
        switch result.withLock({ $0 }) {
        case .success(let slot): return complaint(slot.chunks.flatMap(\.items), head, messagesMax: limits.messagesMax)
        case .failure(let damage): return damage.description
        case nil: return "nothing was read"
        }
    }

    /// The load has one mailbox a slot, so the position is the number of its last message.
    private static func complaint(_ items: [SnapshotItem], _ head: SlotHead, messagesMax: Int) -> String? {
        let sequences = items.compactMap { item -> UInt64? in
            guard case .message(let message) = item else { return nil }
            return String(decoding: message.envelope, as: UTF8.self).hasPrefix("{\"seq\":\(message.sequence),") ? message.sequence : 0
        }
        // None at all where nothing was written yet.
        let before = head.position - min(head.position, UInt64(messagesMax))
        return sequences.elementsEqual((0..<head.position - before).lazy.map { before + 1 + $0 })
            ? nil
            : "its head is at \(head.position), and its messages are \(sequences.first ?? 0)…\(sequences.last ?? 0), \(sequences.count)"
    }
}
