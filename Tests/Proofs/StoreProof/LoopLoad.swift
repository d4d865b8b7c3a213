// An event loop's worth of load: ticks of messages to a few mailboxes in slots of its own, as a node would hand them over.
import Foundation
import HashRing
import RingpostCore
import RingpostStore

/// What one event loop writes. Used by one thread at a time.
struct LoopLoad {
    static let hasher = KeyHasher(seed: SipKey(ascii: "store proof seed"))
    private static let incarnation: UInt64 = 4_711

    /// A mailbox, alone in its slot as far as this load is concerned.
    struct Target {
        let key: Key
        var sequence: UInt64 = 0
    }

    let loop: Int
    let payloadBytes: Int
    let messagesPerTick: Int
    private(set) var targets: [Target] = []
    private var next = 0
    private var generator: SplitMix64

    /// - Parameter heads: what is there already: the load goes on from it.
    init(loop: Int, loops: Int, mailboxes: Int, payloadBytes: Int, messagesPerTick: Int, heads: [Int: SlotHead] = [:]) {
        self.loop = loop
        self.payloadBytes = payloadBytes
        self.messagesPerTick = messagesPerTick
        generator = SplitMix64(seed: UInt64(loop))
        var number = 0
        while targets.count < mailboxes {
            number += 1
            let name = Array("user-\(number)".utf8)
            guard let key = try? Key(.user, name: name, hasher: Self.hasher), key.slot % loops == loop else { continue }
            // One name a slot: then the slot's position is the name's sequence number.
            if !targets.contains(where: { $0.key.slot == key.slot }) {
                targets.append(Target(key: key, sequence: heads[key.slot]?.position ?? 0))
            }
        }
    }

    /// The next tick, and what it acknowledges when it is there.
    mutating func tick(now: Moment) -> (tick: StoreTick, ends: [(slot: Int, sequence: UInt64)]) {
        var steps: [Int: [SlotChange]] = [:]
        var touched: [Int] = []
        for _ in 0..<messagesPerTick {
            let number = next % targets.count
            next += 1
            targets[number].sequence += 1
            let target = targets[number]
            if steps[number] == nil { touched.append(number) }
            steps[number, default: []].append(.step(step(target, now: now)))
        }
        let writes = touched.map { number -> SlotWrite in
            let target = targets[number]
            let head = SlotHead(
                kind: .copy, term: 7, position: target.sequence, fence: 7, origin: 99,
                set: LineageSet(number: 7, lineages: [1 << 60, 1 << 61]))
            return SlotWrite(slot: target.key.slot, head: head, changes: steps[number] ?? [])
        }
        return (StoreTick(now: now.monotonic, slots: writes), touched.map { (targets[$0].key.slot, targets[$0].sequence) })
    }

    private mutating func step(_ target: Target, now: Moment) -> SlotEntry {
        let id = MessageID(high: generator.next(), low: generator.next())
        let message = StoredMessage(
            sequence: target.sequence, envelope: envelope(target, id: id, at: now.wall), publishedAt: now.wall * 1_000 + 300, id: id)
        let receipt = Receipt(sequence: target.sequence, epoch: 7, owner: "n1", outcome: .stored, mirrored: true, id: id)
        return .message(
            target.key, incarnation: Self.incarnation, message,
            Remembered(receipt: receipt, until: now.monotonic + 30_000, principal: .unnamed))
    }

    /// As an owner encodes it, with a payload that nothing can make shorter.
    private mutating func envelope(_ target: Target, id: MessageID, at wall: Int64) -> [UInt8] {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var data = Array("\"".utf8)
        var bits: UInt64 = 0
        // With its quotation marks.
        for number in 0..<max(0, payloadBytes - 2) {
            if number % 10 == 0 { bits = generator.next() }
            data.append(alphabet[Int(bits & 63)])
            bits >>= 6
        }
        data.append(UInt8(ascii: "\""))
        return Envelope.encode(
            target.key, sequence: target.sequence, incarnation: Self.incarnation, id: id, at: wall, from: [], data: data)
    }
}

extension Moment {
    static var now: Moment {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Moment(
            monotonic: Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000, wall: Int64(Date().timeIntervalSince1970 * 1_000))
    }
}
