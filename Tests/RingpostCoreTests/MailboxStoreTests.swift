// The owner's side of a key: order, envelopes, what a socket is brought on with, who is attached. How the store stays
// within its bounds is tested in MailboxEvictionTests.
import Foundation
import HashRing
import Testing

@testable import RingpostCore

@Suite struct MailboxStoreTests {
    /// What every socket gets, as a client reads it.
    private struct Envelope: Decodable, Equatable {
        let seq: UInt64
        let cursor: String
        let id: String
        let at: Int64
        let data: [String: Int]
    }

    static let incarnation: UInt64 = 0xAA
    private var store = MailboxStore(owner: "a")

    static func key(_ name: UInt8 = 1, slot: UInt64 = 7) -> Key {
        Key(.user, trusted: [name], hash: KeyHash(rawValue: slot << 48 | UInt64(name)))
    }

    static func address(_ id: UInt64, channel: UInt32 = 1) -> ReturnAddress { ReturnAddress(channel: channel, id: id) }

    static func cursor(_ sequence: UInt64, _ incarnation: UInt64 = incarnation) -> AttachStart {
        .after(Cursor(incarnation: incarnation, sequence: sequence))
    }

    @discardableResult
    private mutating func publish(
        _ id: UInt64, _ key: Key = key(), isRepeatable: Bool = false, timeToLive: UInt32? = nil, at now: Int64 = 0
    ) -> [OwnerAction] {
        let publish = Publish(
            key: key, id: MessageID(high: 0, low: id), isRepeatable: isRepeatable, data: Array("{\"n\":1}".utf8),
            timeToLiveSeconds: timeToLive, deadline: .max)
        var actions: [OwnerAction] = []
        store.publish(
            publish, answerTo: Self.address(id, channel: 9), epoch: 3, now: Moment(monotonic: now, wall: 1_700_000_000_000),
            fresh: Self.incarnation, actions: &actions)
        return actions
    }

    private mutating func attach(
        _ start: AttachStart, _ stay: AttachRequest.Stay = .always, id: UInt64 = 1, at now: Int64 = 0, _ key: Key = key()
    ) throws -> Summary {
        let request = AttachRequest(key: key, address: Self.address(id), start: start, stay: stay)
        let reply = try store.attach(request, now: Moment(monotonic: now, wall: 0), fresh: Self.incarnation).get()
        return Summary(
            gap: reply.gap, reply.from, reply.messages.map(\.sequence), reply.through, live: reply.isLive, more: reply.hasMore)
    }

    /// A reply in one line: gap, from, sequence numbers, through, live, more.
    private struct Summary: Equatable {
        let gap: Bool
        let from: UInt64
        let messages: [UInt64]
        let through: UInt64
        let live: Bool
        let more: Bool

        init(gap: Bool = false, _ from: UInt64, _ messages: [UInt64], _ through: UInt64, live: Bool = true, more: Bool = false) {
            (self.gap, self.from, self.messages, self.through, self.live, self.more) = (gap, from, messages, through, live, more)
        }
    }

    private func receipt(_ sequence: UInt64, id: UInt64, _ outcome: Receipt.Outcome = .stored, repeated: Bool = false) -> OwnerAction {
        let receipt = Receipt(
            sequence: sequence, epoch: 3, owner: "a", outcome: outcome, mirrored: false, id: MessageID(high: 0, low: id),
            repeated: repeated)
        return .answer(Self.address(id, channel: 9), .success(receipt))
    }

    // MARK: Publishing

    @Test mutating func givesEveryMessageItsPlace() throws {
        #expect(publish(11) == [receipt(1, id: 11)])
        #expect(publish(12) == [receipt(2, id: 12)])
        #expect(publish(13, Self.key(2)) == [receipt(1, id: 13)], "another mailbox")
        #expect(try attach(.now) == Summary(2, [], 2))
        let actions = publish(14)
        #expect(actions.count == 2)
        guard case .deliver(Self.address(1), Self.incarnation, let message) = actions[0] else { throw Unexpected(actions) }
        #expect(message.sequence == 3)
        #expect(actions[1] == receipt(3, id: 14, .delivered), "the answer comes after the deliveries")
    }

    @Test mutating func envelopesAreJSON() throws {
        publish(0xBEEF)
        let request = AttachRequest(key: Self.key(), address: Self.address(1), start: .earliest, stay: .never)
        let reply = try store.attach(request, now: Moment(monotonic: 0, wall: 0), fresh: 0).get()
        let envelope = try JSONDecoder().decode(Envelope.self, from: Data(reply.messages[0].envelope))
        #expect(
            envelope
                == Envelope(
                    seq: 1, cursor: "00000000000000aa-1", id: "0000000000000000000000000000beef", at: 1_700_000_000_000, data: ["n": 1]))
    }

    @Test mutating func aRepeatGetsTheFirstReceipt() {
        #expect(publish(11, isRepeatable: true) == [receipt(1, id: 11)])
        #expect(publish(11, isRepeatable: true, at: 29_999) == [receipt(1, id: 11, repeated: true)])
        #expect(publish(11, isRepeatable: true, at: 30_000) == [receipt(2, id: 11)], "the window is over")
        #expect(publish(12) == [receipt(3, id: 12)])
        #expect(publish(12) == [receipt(4, id: 12)], "ids of routers repeat nothing")
        #expect(publish(11, Self.key(2), isRepeatable: true, at: 30_001) == [receipt(1, id: 11)], "the same key for another user")
    }

    // MARK: Where a socket begins

    @Test mutating func beginnings() throws {
        #expect(try attach(.now, .never) == Summary(0, [], 0, live: false))
        for id: UInt64 in 1...3 { publish(id) }
        #expect(try attach(.now) == Summary(3, [], 3))
        #expect(try attach(.earliest) == Summary(0, [1, 2, 3], 3))
        #expect(try attach(Self.cursor(0)) == Summary(0, [1, 2, 3], 3))
        #expect(try attach(Self.cursor(2)) == Summary(2, [3], 3))
        #expect(try attach(Self.cursor(3)) == Summary(3, [], 3))
    }

    @Test mutating func gaps() throws {
        for id: UInt64 in 1...3 { publish(id) }
        #expect(try attach(Self.cursor(2, 0xBB)) == Summary(gap: true, 0, [1, 2, 3], 3), "an unknown incarnation")
        #expect(try attach(Self.cursor(4)) == Summary(gap: true, 3, [], 3), "ahead of the owner")
        #expect(try attach(Self.cursor(9), .ifEmpty) == Summary(gap: true, 3, [], 3, live: false), "a poll is told at once")
        var limits = MailboxLimits()
        limits.historyMessagesMax = 2
        store = MailboxStore(owner: "a", limits: limits)
        for id: UInt64 in 1...5 { publish(id) }
        #expect(try attach(Self.cursor(2)) == Summary(gap: true, 3, [4, 5], 5), "trimmed")
        #expect(try attach(Self.cursor(3)) == Summary(3, [4, 5], 5))
        #expect(try attach(.earliest) == Summary(3, [4, 5], 5), "the oldest that is kept is no gap")
    }

    @Test mutating func whatIsPastItsTimeToLiveLeavesNoGap() throws {
        publish(1)
        publish(2, timeToLive: 1)
        publish(3)
        publish(4, timeToLive: 1)
        #expect(try attach(Self.cursor(0), at: 999) == Summary(0, [1, 2, 3, 4], 4))
        #expect(try attach(Self.cursor(0), at: 1_000) == Summary(0, [1, 3], 4))
        #expect(try attach(Self.cursor(1), at: 1_000) == Summary(1, [3], 4))
        #expect(try attach(Self.cursor(3), at: 1_000) == Summary(3, [], 4))
        var limits = MailboxLimits()
        limits.historyMessagesMax = 1
        store = MailboxStore(owner: "a", limits: limits)
        publish(1, timeToLive: 1)
        publish(2, at: 1_000)
        #expect(try attach(Self.cursor(0), at: 1_000) == Summary(0, [2], 2), "trimmed after its time")
    }

    @Test mutating func timeToLiveZeroIsOnlyForWhoIsThere() throws {
        #expect(publish(1, timeToLive: 0) == [receipt(1, id: 1, .dropped)])
        #expect(try attach(Self.cursor(0)) == Summary(0, [], 1))
        #expect(publish(2, timeToLive: 0).count == 2, "delivered to the one attached")
        #expect(store.historyBytes == 0)
    }

    @Test func aLongerTimeToLiveIsCut() {
        let publish = Publish(
            key: Self.key(), id: MessageID(high: 0, low: 1), isRepeatable: false, data: [], timeToLiveSeconds: .max, deadline: 0)
        #expect(publish.timeToLiveSeconds == Publish.timeToLiveSecondsMax)
    }

    @Test mutating func replaysInPieces() throws {
        for id: UInt64 in 1...5 { publish(id) }
        let bytes = store.historyBytes / 5
        var limits = MailboxLimits()
        limits.replayBytesMax = 2 * bytes
        store = MailboxStore(owner: "a", limits: limits)
        for id: UInt64 in 1...5 { publish(id) }
        #expect(try attach(.earliest) == Summary(0, [1, 2], 2, live: false, more: true))
        #expect(try attach(Self.cursor(2)) == Summary(2, [3, 4], 4, live: false, more: true))
        #expect(store.attachmentCount == 0)
        #expect(try attach(Self.cursor(4)) == Summary(4, [5], 5))
        limits.replayBytesMax = 2 * bytes - 1
        store = MailboxStore(owner: "a", limits: limits)
        for id: UInt64 in 1...3 { publish(id) }
        #expect(try attach(.earliest) == Summary(0, [1], 1, live: false, more: true), "never beyond the bound")
        limits.replayBytesMax = 1
        store = MailboxStore(owner: "a", limits: limits)
        for id: UInt64 in 1...2 { publish(id) }
        #expect(try attach(.earliest) == Summary(0, [1], 1, live: false, more: true), "but always one")
    }

    // MARK: Attachments

    @Test mutating func staying() throws {
        #expect(try attach(.now, .never) == Summary(0, [], 0, live: false))
        #expect(store.attachmentCount == 0)
        publish(1)
        #expect(try attach(Self.cursor(0), .ifEmpty) == Summary(0, [1], 1, live: false), "a long poll takes what is there")
        #expect(store.attachmentCount == 0)
        #expect(try attach(Self.cursor(1), .ifEmpty) == Summary(1, [], 1))
        #expect(store.attachmentCount == 1)
    }

    @Test mutating func attachingTwiceIsHarmless() throws {
        _ = try attach(.now)
        _ = try attach(.now)
        #expect(store.attachmentCount == 1)
        #expect(publish(1).count == 2)
        store.detach(Self.address(1), from: Self.key())
        store.detach(Self.address(1), from: Self.key())
        store.detach(Self.address(2), from: Self.key(2))
        #expect(store.attachmentCount == 0)
        #expect(publish(2) == [receipt(2, id: 2)])
    }

    @Test mutating func aClosedLinkTakesItsAttachmentsAlong() throws {
        for id: UInt64 in 1...3 { _ = try attach(.now, id: id) }
        _ = try attach(.now, id: 4, Self.key(2))
        let other = AttachRequest(key: Self.key(), address: Self.address(1, channel: 2), start: .now, stay: .always)
        _ = store.attach(other, now: Moment(monotonic: 0, wall: 0), fresh: 0)
        #expect(store.attachmentCount == 5)
        store.detachAll(channel: 1)
        #expect(store.attachmentCount == 1)
        #expect(store.summary(of: Self.key())?.attachments == [Self.address(1, channel: 2)])
        #expect(store.summary(of: Self.key(2))?.attachments == [])
    }

    @Test mutating func slotsThatChangeHandsAreGivenUp() throws {
        publish(1, isRepeatable: true)
        _ = try attach(.now, id: 1)
        _ = try attach(.now, id: 2, Self.key(2))
        _ = try attach(.now, id: 3, Self.key(3, slot: 8))
        var actions: [OwnerAction] = []
        store.keepOnly(slots: { $0 == 8 }, actions: &actions)
        #expect(actions == [.detached(Self.address(1)), .detached(Self.address(2))])
        #expect(store.mailboxCount == 1)
        #expect(store.attachmentCount == 1)
        #expect(store.historyBytes == 0)
        #expect(store.windowCount == 0)
        #expect(store.summary(of: Self.key()) == nil)
        #expect(store.summary(of: Self.key(3, slot: 8))?.attachments == [Self.address(3)])
        #expect(publish(1, isRepeatable: true) == [receipt(1, id: 1)], "its window entry went along")
    }

    @Test mutating func aSummaryTouchesNothing() {
        #expect(store.summary(of: Self.key()) == nil)
        #expect(store.mailboxCount == 0)
        publish(1)
        let summary = store.summary(of: Self.key())
        #expect(summary?.cursor == Cursor(incarnation: Self.incarnation, sequence: 1))
        #expect(summary?.historyMessages == 1)
        #expect(summary?.historyBytes == store.historyBytes)
    }
}

private struct Unexpected: Error {
    let actions: [OwnerAction]
    init(_ actions: [OwnerAction]) { self.actions = actions }
}
