// Every kind and variant of a frame about slots, for the tests of the link codec.
import HashRing
import RingpostCore
import RingpostWire

enum SlotFrameSamples {
    private static let user = Key(.user, trusted: Array("ann".utf8), hash: KeyHash(rawValue: 0x0102_0304_0506_0708))
    private static let message = StoredMessage(
        sequence: 4, envelope: Array("{}".utf8), expiresAt: 30_000, publishedAt: 1_700_000_000_000_000, id: MessageID(high: 1, low: .max))
    private static let late = StoredMessage(sequence: 1 << 62, envelope: [], expiresAt: -5)
    private static let remembered = Remembered(
        receipt: Receipt(
            sequence: 4, epoch: 9, owner: "nöd", outcome: .dropped, mirrored: true, id: MessageID(high: 1, low: 2)), until: 29_999)
    private static let somebodys = Remembered(receipt: remembered.receipt, until: 5, principal: Principal(rawValue: 7))
    private static let durable = Remembered(
        receipt: Receipt(
            sequence: 4, epoch: 9, owner: "n", outcome: .stored, mirrored: true, durable: true, id: MessageID(high: 1, low: 2)),
        until: 6, principal: Principal(rawValue: 8))
    private static let items: [SnapshotItem] = [
        .mailbox(MailboxHead(key: user, incarnation: .max, appended: 9, resumableFrom: 9, lostAgo: .max, lastSeen: 1_700_000_000_000)),
        .message(message),
        .message(late),
        .mailbox(MailboxHead(key: user, incarnation: 0, appended: 1, resumableFrom: 0, lostAgo: 0, principal: Principal(rawValue: .max))),
        .remembered(user.hash, remembered), .remembered(user.hash, somebodys),
        .remembered(user.hash, durable),
    ]

    private static let set = LineageSet(number: 1 << 62, lineages: [.max, 0, 7])
    private static let evidence = SlotEvidence(term: .max, position: 1 << 62, set: set)

    static let all: [LinkFrame] = [
        SlotFrame.inquire(term: 6, slots: [0, 1, .max]), .inquire(term: 7, slots: []),
        .fetch(term: 1, slot: 258),
        .adopt([adoption(position: 1 << 62), SlotAdoption(slot: .max, term: 2, base: .max, position: 0, set: set)]), .adopt([]),
        .snapshots(
            [
                SnapshotTransfer(
                    slot: 258, term: 1,
                    chunk: SnapshotChunk(isFirst: true, isLast: false, base: 3, position: 4, set: set, origin: .max, items: items)),
                SnapshotTransfer(slot: 258, term: 1, chunk: SnapshotChunk(isFirst: false, isLast: true, base: 3, position: 4, items: [])),
            ]), .snapshots([]),
        .append(term: 1, slot: 258, position: 1, .message(user, incarnation: 1, message, nil)),
        .append(term: 1, slot: 258, position: 1 << 62, .message(user, incarnation: 1, late, remembered)),
        .append(term: 1, slot: 258, position: 1 << 62, .message(user, incarnation: 1, message, somebodys)),
        .append(term: 1, slot: 258, position: 1 << 62, .message(user, incarnation: 1, message, durable)),
        .append(term: 1, slot: 258, position: 2, .created(user, incarnation: 5)),
        .append(term: 1, slot: 258, position: 2, .belongs(user, to: Principal(rawValue: 9))),
        .append(term: 1, slot: 258, position: 3, .nothing), .append(term: 1, slot: 258, position: 4, .seen(user, at: 1_700_000_000_000)),
        .release([
            SlotRelease(slot: 0, evidence: evidence),
            SlotRelease(slot: .max, evidence: SlotEvidence(term: 1, position: 0, set: LineageSet())),
        ]),
        .keepers([SlotKeepers(slot: 1, term: 2, set: set), SlotKeepers(slot: .max, term: .max, set: LineageSet())]), .keepers([]),
        .retained(epoch: 8, [SlotHolding(slot: 9, content: .copy(term: 1, position: 2, set: set, isCurrent: false))]),
        .holdings(
            term: 5,
            [
                SlotHolding(slot: 1, content: .copy(term: 4, position: 0)),
                SlotHolding(slot: 1, content: .copy(term: 4, position: 0, set: set, isCurrent: false)),
                SlotHolding(slot: .max, content: .none(vacant: 0, quiet: .max)),
                SlotHolding(slot: .max, content: .none(vacant: 0, quiet: .max, evidence: evidence)),
            ]), .holdings(term: 5, []), .chunk(term: 5, slot: 3, nil),
        .chunk(term: 5, slot: 3, SnapshotChunk(isFirst: true, isLast: true, base: 3, position: 4, items: items)),
        .acknowledge(term: 5, slot: 3, position: 9), .mismatch(term: 5, slot: 3),
        .acknowledgeCopies([SlotPosition(slot: 3, term: 5, position: 9), SlotPosition(slot: .max, term: .max, position: 0)]),
        .acknowledgeCopies([]), .released([SlotTerm(slot: 3, term: 5), SlotTerm(slot: 3, term: .max)]), .released([]),
        .refused(term: 5, slot: 3, minimum: 6),
    ].map(LinkFrame.slot)

    /// Numbers that nobody can have come to honestly: counting on from them would overflow, or keep something for ever.
    static let beyondBounds: [SlotFrame] = [
        .adopt([adoption(position: 1 << 62 + 1)]), .append(term: 1, slot: 0, position: .max, .nothing),
        .append(term: 1, slot: 0, position: 1, .message(user, incarnation: 1, StoredMessage(sequence: .max, envelope: []), nil)),
        .acknowledge(term: 1, slot: 0, position: .max), .acknowledgeCopies([SlotPosition(slot: 0, term: 1, position: .max)]),
        .holdings(term: 1, [SlotHolding(slot: 1, content: .copy(term: 1, position: .max))]),
        .holdings(term: 1, [SlotHolding(slot: 1, content: .none(vacant: .max, quiet: 0))]),
        .holdings(term: 1, [SlotHolding(slot: 1, content: .none(vacant: 0, quiet: .max - 1))]),
        .keepers([SlotKeepers(slot: 1, term: 2, set: LineageSet(number: 1 << 62 + 1, lineages: []))]),
        .keepers([
            SlotKeepers(slot: 1, term: 2, set: LineageSet(number: 1, lineages: Array(repeating: 1, count: LineageSet.lineagesMax + 1)))
        ]),
        fill([.remembered(user.hash, Remembered(receipt: remembered.receipt, until: 4_000_000))]),
        fill([.mailbox(MailboxHead(key: user, incarnation: 1, appended: .max, resumableFrom: 0, lostAgo: 0))]),
        .chunk(term: 1, slot: 0, SnapshotChunk(isFirst: true, isLast: true, base: 1, position: .max, items: [])),
    ]

    private static func adoption(position: UInt64) -> SlotAdoption { SlotAdoption(slot: 258, term: 1, base: 0, position: position) }

    private static func fill(_ items: [SnapshotItem]) -> SlotFrame {
        .snapshots([
            SnapshotTransfer(slot: 0, term: 1, chunk: SnapshotChunk(isFirst: true, isLast: true, base: 1, position: 1, items: items))
        ])
    }
}
