// The owner's side of a key: order, envelopes, what a socket is brought on with, who is attached. How the store stays
// within its bounds is tested in MailboxEvictionTests, what other members have to do with it in Handover.
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

    private var loop = LoneShard()
    private var store: MailboxStore { loop.store }

    static func key(_ name: UInt8 = 1, slot: Int = 7) -> Key { LoneShard.key(name, slot: slot) }

    static func address(_ id: UInt64, channel: UInt32 = 1) -> ReturnAddress { ReturnAddress(connectionID: channel, id: id) }

    /// Of the mailbox as it is now, unless another incarnation is named.
    private func cursor(_ sequence: UInt64, _ incarnation: UInt64? = nil) -> AttachStart {
        .after(Cursor(incarnation: incarnation ?? loop.incarnation(of: Self.key()) ?? 0, sequence: sequence))
    }

    @discardableResult
    private mutating func publish(
        _ id: UInt64, _ key: Key = key(), isRepeatable: Bool = false, timeToLive: UInt32? = nil, at now: Int64 = 0
    ) -> [ShardAction] {
        let publish = Publish(
            key: key, id: MessageID(high: 0, low: id), isRepeatable: isRepeatable, data: Array("{\"n\":1}".utf8),
            timeToLiveSeconds: timeToLive, deadline: .max)
        return loop.publish(
            publish, answerTo: Self.address(id, channel: 9), at: Moment(monotonic: now, wall: 1_700_000_000_000))
    }

    private mutating func attach(
        _ start: AttachStart, _ stay: AttachRequest.Stay = .always, id: UInt64 = 1, at now: Int64 = 0, _ key: Key = key()
    ) throws -> Summary {
        let request = AttachRequest(key: key, address: Self.address(id), start: start, stay: stay)
        let reply = try loop.attach(request, at: now).get()
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

    private func receipt(_ sequence: UInt64, id: UInt64, _ outcome: Receipt.Outcome = .stored, repeated: Bool = false) -> ShardAction {
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
        guard case .deliver(Self.address(1), let incarnation, let message) = actions[0] else { throw Unexpected(["\(actions)"]) }
        #expect(message.sequence == 3)
        #expect(incarnation == loop.incarnation(of: Self.key()))
        #expect(actions[1] == receipt(3, id: 14, .delivered), "the answer comes after the deliveries")
    }

    @Test mutating func envelopesAreJSON() throws {
        publish(0xBEEF)
        let request = AttachRequest(key: Self.key(), address: Self.address(1), start: .earliest, stay: .never)
        let reply = try loop.attach(request, at: 0).get()
        let envelope = try JSONDecoder().decode(Envelope.self, from: Data(reply.messages[0].envelope))
        #expect(
            envelope
                == Envelope(
                    seq: 1, cursor: "\(reply.incarnation.hexadecimal)-1", id: "0000000000000000000000000000beef", at: 1_700_000_000_000,
                    data: ["n": 1]))
    }

    @Test mutating func anEnvelopeSaysWhoSentIt() throws {
        func envelope(_ key: Key, _ from: [UInt8]) throws -> String {
            let publish = Publish(
                key: key, id: MessageID(high: 0, low: 1), from: from, isRepeatable: false, data: Array("1".utf8), deadline: .max)
            _ = loop.publish(publish, answerTo: Self.address(1, channel: 9), at: Moment(monotonic: 0, wall: 7))
            let request = AttachRequest(key: key, address: Self.address(1), start: .earliest, stay: .never)
            return String(decoding: try #require(try loop.attach(request, at: 0).get().messages.last).envelope, as: UTF8.self)
        }
        let channel = Key(.channel, trusted: Array("r\"m".utf8), hash: Self.key().hash)
        #expect(try envelope(Self.key(), SenderText.nobody).hasSuffix(#","at":7,"data":1}"#))
        let bytes = store.historyBytes
        let named = try envelope(Self.key(), SenderText.user(Array("bob".utf8)))
        #expect(named.hasSuffix(#","at":7,"from":{"user":"bob"},"data":1}"#))
        #expect(store.historyBytes == bytes + named.utf8.count, "its bytes are counted")
        #expect(try envelope(channel, SenderText.key("k1")).hasSuffix(#","at":7,"channel":"r\"m","from":{"key":"k1"},"data":1}"#))
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
        #expect(try attach(cursor(0)) == Summary(0, [1, 2, 3], 3))
        #expect(try attach(cursor(2)) == Summary(2, [3], 3))
        #expect(try attach(cursor(3)) == Summary(3, [], 3))
    }

    @Test mutating func gaps() throws {
        for id: UInt64 in 1...3 { publish(id) }
        #expect(try attach(cursor(2, 0xBB)) == Summary(gap: true, 0, [1, 2, 3], 3), "an unknown incarnation")
        #expect(try attach(cursor(4)) == Summary(gap: true, 3, [], 3), "ahead of the owner")
        #expect(try attach(cursor(9), .ifEmpty) == Summary(gap: true, 3, [], 3, live: false), "a poll is told at once")
        var limits = MailboxLimits()
        limits.historyMessagesMax = 2
        loop = LoneShard(limits: limits)
        for id: UInt64 in 1...5 { publish(id) }
        #expect(try attach(cursor(2)) == Summary(gap: true, 3, [4, 5], 5), "trimmed")
        #expect(try attach(cursor(3)) == Summary(3, [4, 5], 5))
        #expect(try attach(.earliest) == Summary(3, [4, 5], 5), "the oldest that is kept is no gap")
    }

    @Test mutating func whatIsPastItsTimeToLiveLeavesNoGap() throws {
        publish(1)
        publish(2, timeToLive: 1)
        publish(3)
        publish(4, timeToLive: 1)
        #expect(try attach(cursor(0), at: 999) == Summary(0, [1, 2, 3, 4], 4))
        #expect(try attach(cursor(0), at: 1_000) == Summary(0, [1, 3], 4))
        #expect(try attach(cursor(1), at: 1_000) == Summary(1, [3], 4))
        #expect(try attach(cursor(3), at: 1_000) == Summary(3, [], 4))
        var limits = MailboxLimits()
        limits.historyMessagesMax = 1
        loop = LoneShard(limits: limits)
        publish(1, timeToLive: 1)
        publish(2, at: 1_000)
        #expect(try attach(cursor(0), at: 1_000) == Summary(0, [2], 2), "trimmed after its time")
    }

    @Test mutating func timeToLiveZeroIsOnlyForWhoIsThere() throws {
        #expect(publish(1, timeToLive: 0) == [receipt(1, id: 1, .dropped)])
        #expect(try attach(cursor(0)) == Summary(0, [], 1))
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
        loop = LoneShard(limits: limits)
        for id: UInt64 in 1...5 { publish(id) }
        #expect(try attach(.earliest) == Summary(0, [1, 2], 2, live: false, more: true))
        #expect(try attach(cursor(2)) == Summary(2, [3, 4], 4, live: false, more: true))
        #expect(store.attachmentCount == 0)
        #expect(try attach(cursor(4)) == Summary(4, [5], 5))
        limits.replayBytesMax = 2 * bytes - 1
        loop = LoneShard(limits: limits)
        for id: UInt64 in 1...3 { publish(id) }
        #expect(try attach(.earliest) == Summary(0, [1], 1, live: false, more: true), "never beyond the bound")
        limits.replayBytesMax = 1
        loop = LoneShard(limits: limits)
        for id: UInt64 in 1...2 { publish(id) }
        #expect(try attach(.earliest) == Summary(0, [1], 1, live: false, more: true), "but always one")
    }

    // MARK: Attachments

    @Test mutating func staying() throws {
        #expect(try attach(.now, .never) == Summary(0, [], 0, live: false))
        #expect(store.attachmentCount == 0)
        publish(1)
        #expect(try attach(cursor(0), .ifEmpty) == Summary(0, [1], 1, live: false), "a long poll takes what is there")
        #expect(store.attachmentCount == 0)
        #expect(try attach(cursor(1), .ifEmpty) == Summary(1, [], 1))
        #expect(store.attachmentCount == 1)
    }

    @Test mutating func attachingTwiceIsHarmless() throws {
        _ = try attach(.now)
        _ = try attach(.now)
        #expect(store.attachmentCount == 1)
        #expect(publish(1).count == 2)
        loop.machine.detach(Self.address(1), from: Self.key(), now: Moment(monotonic: 0, wall: 0))
        loop.machine.detach(Self.address(1), from: Self.key(), now: Moment(monotonic: 0, wall: 0))
        loop.machine.detach(Self.address(2), from: Self.key(2), now: Moment(monotonic: 0, wall: 0))
        #expect(store.attachmentCount == 0)
        #expect(publish(2) == [receipt(2, id: 2)])
    }

    @Test mutating func aClosedLinkTakesItsAttachmentsAlong() throws {
        for id: UInt64 in 1...3 { _ = try attach(.now, id: id) }
        _ = try attach(.now, id: 4, Self.key(2))
        let other = AttachRequest(key: Self.key(), address: Self.address(1, channel: 2), start: .now, stay: .always)
        _ = loop.attach(other, at: 0)
        #expect(store.attachmentCount == 5)
        loop.machine.connectionEnded(1, now: Moment(monotonic: 0, wall: 0))
        #expect(store.attachmentCount == 1)
        #expect(store.summary(of: Self.key())?.attachments == [Self.address(1, channel: 2)])
        #expect(store.summary(of: Self.key(2))?.attachments == [])
    }

    @Test mutating func slotsThatChangeHandsAreGivenUp() throws {
        let next = LoneShard.view(4, [LoneShard.me, LoneShard.other])
        let mine = try #require((0..<64).first { next.owner(ofSlot: Self.key(slot: $0).slot)?.id == "a" })
        let theirs = try #require((0..<64).first { next.owner(ofSlot: Self.key(slot: $0).slot)?.id == "b" })
        let keys = [Self.key(1, slot: theirs), Self.key(2, slot: theirs), Self.key(3, slot: mine)]
        publish(1, keys[0], isRepeatable: true)
        for (number, key) in keys.enumerated() { _ = try attach(.now, id: UInt64(number + 1), key) }
        var actions: [ShardAction] = []
        let now = Moment(monotonic: 0, wall: 0)
        loop.machine.apply(next, now: now, actions: &actions)
        // Slots that stay get a mirror, lot by lot.
        actions.removeAll { $0 == .moveSoon }
        #expect(actions.count == 2 && actions.contains(.detached(Self.address(1))) && actions.contains(.detached(Self.address(2))))
        #expect(store.attachmentCount == 1)
        #expect(store.mailboxCount == 3 && store.windowCount == 1, "a copy that the new owner may go on from")
        actions = []
        let release = SlotFrame.release(term: 4, slot: UInt16(keys[0].slot))
        loop.machine.onRequest(release, from: LoneShard.other, connectionID: 5, now: now, actions: &actions)
        #expect(actions == [.reply(connectionID: 5, .released(term: 4, slot: UInt16(keys[0].slot)))])
        #expect(store.mailboxCount == 1)
        #expect(store.historyBytes == 0)
        #expect(store.windowCount == 0, "its window entry went along")
        #expect(store.summary(of: keys[0]) == nil)
        #expect(store.summary(of: keys[2])?.attachments == [Self.address(3)])
    }

    @Test mutating func aSummaryTouchesNothing() {
        #expect(store.summary(of: Self.key()) == nil)
        #expect(store.mailboxCount == 0)
        publish(1)
        let summary = store.summary(of: Self.key())
        #expect(summary?.cursor.sequence == 1)
        #expect(summary?.historyMessages == 1)
        #expect(summary?.historyBytes == store.historyBytes)
    }
}
