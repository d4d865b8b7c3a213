// What a node holds of a slot, as far as every copy of it has to be the same. Times are left out: on the way to a copy they
// stand still.
import HashRing
import Testing

@testable import RingpostCore

struct Contents: Equatable, CustomStringConvertible {
    struct Mailbox: Equatable {
        let key: Key
        let incarnation: UInt64
        let appended: UInt64
        let resumableFrom: UInt64
        var messages: [Message] = []
    }

    struct Message: Equatable {
        let sequence: UInt64
        let id: MessageID
        let envelope: [UInt8]
        let isForEver: Bool
    }

    private struct Repeatable: Hashable {
        let key: KeyHash
        let receipt: Receipt
    }

    /// In the order of names.
    private(set) var mailboxes: [Mailbox] = []
    private var receipts: Set<Repeatable> = []

    /// - Parameter items: all chunks of a copy.
    init(_ items: [SnapshotItem]) {
        for item in items {
            switch item {
            case .mailbox(let head):
                mailboxes.append(
                    Mailbox(key: head.key, incarnation: head.incarnation, appended: head.appended, resumableFrom: head.resumableFrom))
            case .message(let message):
                mailboxes[mailboxes.count - 1].messages.append(
                    Message(
                        sequence: message.sequence, id: message.id, envelope: message.envelope, isForEver: message.expiresAt == .max))
            case .remembered(let key, let remembered):
                // Whether a second member had it by then, and who was there, is known to the owner alone.
                receipts.insert(Repeatable(key: key, receipt: remembered.receipt.with(copies: 2, durable: false, outcome: .unknown)))
            }
        }
        mailboxes.sort { $0.key.name.lexicographicallyPrecedes($1.key.name) }
    }

    /// Receipts that repeats would get.
    var receiptCount: Int { receipts.count }

    var description: String {
        let boxes = mailboxes.map { "\($0.key.name)-\($0.incarnation.hexadecimal.suffix(4))@\($0.appended): \($0.messages.map(\.id.low))" }
        return "\(boxes), receipts \(receipts.map(Self.words).sorted())"
    }

    private static func words(_ repeatable: Repeatable) -> String {
        "\(repeatable.receipt.id.low): #\(repeatable.receipt.sequence)"
    }

    /// What is here and not there.
    func lacking(in other: Contents) -> String {
        let boxes = mailboxes.filter { !other.mailboxes.contains($0) }.map { box in
            let same = other.mailboxes.first { $0.key == box.key }
            let missing = box.messages.filter { same?.messages.contains($0) != true }
            return "\(box.key.name)@\(box.appended), \(box.resumableFrom): \(missing.map { "\($0.id.low) #\($0.sequence)" })"
        }
        return "\(boxes), receipts \(receipts.subtracting(other.receipts).map(Self.words).sorted())"
    }
}

extension InMemoryCluster {
    func contents(_ id: String, of slot: Int? = nil) -> Contents {
        let chunks = nodes[id]?.machine.log.mailboxes.chunks(
            ofSlot: slot ?? self.slot, base: 0, position: 0, now: now(id).monotonic, bytesMax: .max)
        return Contents(chunks?.flatMap(\.items) ?? [])
    }

    /// The messages of the first mailbox, by their ids.
    func history(_ id: String, of slot: Int? = nil) -> [UInt64] { contents(id, of: slot).mailboxes.first?.messages.map(\.id.low) ?? [] }

    /// A cluster at rest, with this many messages for the key in its slot.
    static func settled(
        _ order: String = "abcd", _ members: String, messages: UInt64 = 0, slots: Int = 1, limits: ShardLimits = ShardLimits(),
        keepsCopies: Bool = false, copies: Int = 2
    ) -> InMemoryCluster {
        let net = InMemoryCluster(order, slots: slots, limits: limits, keepsCopies: keepsCopies, copies: copies)
        net.view(1, members)
        net.run()
        for number in 0..<messages { net.publish(1_000 + number, at: order.first.map(String.init) ?? "") }
        net.run()
        #expect((0..<messages).allSatisfy { net.results[1_000 + $0]?.count == 1 })
        net.trace = []
        return net
    }
}
