// Names that somebody listens to and nobody has written to: they keep nothing, push nobody out, and still have cursors that hold.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct UnwrittenNameTests {
    private var loop = LoneShard()

    private static func channel(_ name: UInt8, slot: Int = 7) -> Key {
        let user = LoneShard.key(name, slot: slot)
        return Key(.channel, trusted: user.name, hash: user.hash)
    }

    private mutating func limit(_ change: (inout MailboxLimits) -> Void) {
        var limits = MailboxLimits()
        change(&limits)
        loop = LoneShard(limits: limits)
    }

    private mutating func publish(_ key: Key, at now: Int64 = 0) {
        let publish = Publish(key: key, id: MessageID(high: 0, low: 1), isRepeatable: false, data: [0x31], deadline: .max)
        _ = loop.publish(publish, answerTo: ReturnAddress(connectionID: 0, id: 0), at: Moment(monotonic: now, wall: 0))
    }

    private mutating func attach(
        _ key: Key, _ start: AttachStart = .now, _ stay: AttachRequest.Stay = .always, id: UInt64 = 1, at now: Int64 = 0
    ) throws -> AttachReply {
        try loop.attach(
            AttachRequest(key: key, address: ReturnAddress(connectionID: 1, id: id), start: start, stay: stay), at: now
        ).get()
    }

    private mutating func detach(_ key: Key, id: UInt64 = 1, at now: Int64 = 0) {
        loop.machine.detach(ReturnAddress(connectionID: 1, id: id), from: key, now: Moment(monotonic: now, wall: 1_000 + now))
    }

    private func cursor(_ reply: AttachReply) -> AttachStart { .after(Cursor(incarnation: reply.incarnation, sequence: reply.through)) }

    /// A copy that had no room for a message must not be taken for one that has it.
    @Test(arguments: [false, true]) func aMessageThatACopyHadNoRoomForIsAGap(isKnown: Bool) throws {
        var limits = MailboxLimits()
        limits.mailboxesMax = 1
        var store = MailboxStore(limits: limits)
        let (taken, other) = (LoneShard.key(1, slot: 7), LoneShard.key(2, slot: 7))
        let message = StoredMessage(
            sequence: 1, envelope: [0x31], expiresAt: .max, publishedAt: 0, id: MessageID(high: 0, low: 1))
        store.apply(.message(taken, incarnation: 5, message, nil), now: 0)
        #expect(store.attach(ReturnAddress(connectionID: 1, id: 1), at: try #require(store.mailboxIndex(of: taken))))
        let incarnation = store.incarnation(ofNew: other)
        if isKnown { store.apply(.created(other, incarnation: incarnation), now: 0) }
        store.apply(.message(other, incarnation: incarnation, message, nil), now: 0)
        #expect(store.mailboxIndex(of: other) == nil)
        let request = AttachRequest(
            key: other, address: ReturnAddress(connectionID: 1, id: 2),
            start: .after(Cursor(incarnation: incarnation, sequence: 0)), stay: .never)
        #expect(store.readUnwritten(request, now: 0).gap)
    }

    /// A few sockets that subscribe to one name after the other.
    @Test mutating func whoOnlyListensPushesNobodyOut() throws {
        limit { limits in
            limits.mailboxesMax = 3
            limits.unwrittenMax = 4
        }
        for name: UInt8 in 1...3 { publish(Self.channel(name)) }
        for name: UInt8 in 10...200 {
            _ = try attach(Self.channel(name))
            detach(Self.channel(name))
            _ = try attach(Self.channel(name), .earliest, .never)
        }
        #expect(loop.store.mailboxCount == 3 && loop.store.evictedCount == 0)
        #expect((1...3).allSatisfy { loop.store.summary(of: Self.channel($0))?.historyMessages == 1 })
        for name: UInt8 in 10...13 { _ = try attach(Self.channel(name)) }
        #expect(throws: Problem.overloaded) { try attach(Self.channel(14)) }
        #expect(loop.store.mailboxCount == 7)
        loop.machine.connectionEnded(1, now: Moment(monotonic: 0, wall: 0))
        #expect(loop.store.mailboxCount == 3 && loop.store.attachmentCount == 0)
    }

    @Test mutating func itsCursorHoldsUntilSomethingMayBeMissed() throws {
        let key = Self.channel(1)
        let first = try attach(key)
        #expect(!first.gap && first.through == 0)
        detach(key)
        let second = try attach(key, cursor(first))
        #expect(!second.gap && second.incarnation == first.incarnation, "nothing was kept, and nothing was missed")
        detach(key)
        publish(key)
        let third = try attach(key, cursor(first))
        #expect(!third.gap && third.messages.map(\.sequence) == [1] && third.incarnation == first.incarnation)
    }

    @Test mutating func whoMissedAForgottenMailboxIsTold() throws {
        limit { $0.mailboxesMax = 1 }
        let key = Self.channel(1)
        let first = try attach(key)
        detach(key)
        publish(key)
        publish(Self.channel(2))
        #expect(loop.store.evictedCount == 1)
        let second = try attach(key, cursor(first))
        #expect(second.gap && second.incarnation != first.incarnation)
        detach(key)
        publish(key)
        #expect(try attach(key, .after(Cursor(incarnation: first.incarnation, sequence: 1))).gap, "the first message of another life")
    }

    @Test mutating func aMailboxBeginsInItsPlaceAndKeepsItsSockets() throws {
        let key = Self.channel(1)
        let reply = try attach(key)
        publish(key)
        #expect(loop.incarnation(of: key) == reply.incarnation)
        #expect(loop.store.summary(of: key)?.attachments.count == 1)
        detach(key)
        #expect(loop.store.summary(of: key)?.historyMessages == 1, "what was written stays")
    }

    @Test mutating func usersAreRememberedAsLongAsThereIsRoom() throws {
        limit { $0.departedMax = 2 }
        for name: UInt8 in 1...3 {
            _ = try attach(LoneShard.key(name))
            detach(LoneShard.key(name), at: Int64(name))
        }
        #expect((1...3).map { loop.store.summary(of: LoneShard.key($0))?.lastSeen } == [nil, 1_002, 1_003])
        let held = try attach(LoneShard.key(2))
        _ = try attach(LoneShard.key(1), .earliest, .never)
        _ = try attach(LoneShard.key(4), .earliest, .never)
        #expect(loop.store.summary(of: LoneShard.key(3)) == nil, "the one who left first of those who are not there")
        #expect(loop.store.summary(of: LoneShard.key(2))?.attachments.count == 1)
        publish(LoneShard.key(2))
        detach(LoneShard.key(2))
        for name: UInt8 in 5...9 { _ = try attach(LoneShard.key(name), .earliest, .never) }
        #expect(loop.store.mailboxCount == 3)
        let again = try attach(LoneShard.key(2), cursor(held))
        #expect(!again.gap && again.messages.count == 1)
        loop.machine.onTick(now: Moment(monotonic: 25 * 3_600_000, wall: 0), actions: &actions)
        #expect(loop.store.mailboxCount == 1, "only who is there")
    }

    private var actions: [ShardAction] = []

    /// The next owner has heard nothing of it, and says the same of it.
    @Test func theNextOwnerKnowsTheCursor() throws {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 1)
        let key = Key(.channel, trusted: [9], hash: KeyHash(rawValue: UInt64(net.slot) << 48 | 9))
        net.attach(9, at: "d", key, from: .now)
        net.run()
        guard case .attached(let reply) = net.takeHeard(9).first else { throw Unexpected(net.trace) }
        #expect(net.contents("b") == net.contents("a") && net.contents("b").mailboxes.count == 1, "nothing is kept for it anywhere")
        let at = AttachStart.after(Cursor(incarnation: reply.incarnation, sequence: 0))
        net.kill("a")
        net.view(2, "bcd")
        net.attach(10, at: "d", key, from: at)
        net.pass(100)
        #expect(net.heard(10) == ["0…0: live"])
        net.publish(5, at: "c", key)
        net.run()
        #expect(net.heard(10) == ["#1"])
        // A copy that moves takes it along, and so does the next one.
        net.view(3, "cd")
        net.pass(100)
        net.attach(11, at: "d", key, from: at)
        net.pass(100)
        #expect(net.heard(11) == ["0…1: #1 live"])
    }

    /// All copies are lost: then a message may be.
    @Test func anOwnerWithoutACopyDoesNotKnowIt() throws {
        let net = InMemoryCluster.settled("abcd", "abcd")
        let key = Key(.channel, trusted: [9], hash: KeyHash(rawValue: UInt64(net.slot) << 48 | 9))
        net.attach(9, at: "d", key, from: .now)
        net.run()
        guard case .attached(let reply) = net.takeHeard(9).first else { throw Unexpected(net.trace) }
        net.kill("a")
        net.kill("b")
        net.view(2, "cd")
        net.pass(InMemoryCluster.quietMilliseconds + 1_000)
        net.attach(10, at: "d", key, from: .after(Cursor(incarnation: reply.incarnation, sequence: 0)))
        net.pass(100)
        #expect(net.heard(10) == ["gap 0…0: live"])
    }
}
