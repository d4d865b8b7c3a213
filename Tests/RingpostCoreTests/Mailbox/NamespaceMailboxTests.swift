// What namespaces' rules do to mailboxes: how much is kept and for how long, how fast it may come, how many there may be; and that a channel
// outside of them, and a user, notice nothing.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct NamespaceMailboxTests {
    private struct Owner {
        var loop: LoneShard
        var store: MailboxStore { loop.machine.log.mailboxes }

        init(limits: MailboxLimits = MailboxLimits(), _ namespaces: [String: (inout Namespace) -> Void]) throws {
            var limits = limits
            var all: [Namespace] = []
            for (name, change) in namespaces {
                var namespace = try #require(Namespace(name: Array(name.utf8)))
                change(&namespace)
                all.append(namespace)
            }
            limits.namespaces = try #require(NamespaceTable(all))
            loop = LoneShard(limits: limits)
        }

        static func key(_ name: String, _ kind: KeyKind = .channel) -> Key {
            let bytes = Array(name.utf8)
            let low = bytes.reduce(UInt64(kind.rawValue)) { $0 &* 131 &+ UInt64($1) } & 0xFFFF_FFFF
            return Key(kind, trusted: bytes, hash: KeyHash(rawValue: UInt64(7 * 64) << 48 | low))
        }

        mutating func publish(
            _ name: String, _ kind: KeyKind = .channel, at now: Int64 = 0, by principal: Principal = .unnamed, from: [UInt8] = [],
            bytes: Int = 10, ttl: UInt32? = nil
        ) -> Result<Receipt, Problem> {
            let publish = Publish(
                key: Self.key(name, kind), id: MessageID(high: 0, low: UInt64(now)), principal: principal, from: from, isRepeatable: false,
                data: Array(repeating: UInt8(ascii: "1"), count: bytes), timeToLiveSeconds: ttl, deadline: .max)
            let actions = loop.publish(publish, answerTo: ReturnAddress(connectionID: 0, id: 0), at: Moment(monotonic: now, wall: 0))
            guard case .answer(_, let result) = actions.last else { return .failure(.internalError) }
            return result
        }

        mutating func read(_ name: String, _ start: AttachStart, at now: Int64, stay: AttachRequest.Stay = .never) throws -> AttachReply {
            let address = ReturnAddress(connectionID: 1, id: 1)
            return try loop.attach(AttachRequest(key: Self.key(name), address: address, start: start, stay: stay), at: now).get()
        }

        mutating func leave(_ name: String, at now: Int64) {
            loop.machine.detach(ReturnAddress(connectionID: 1, id: 1), from: Self.key(name), now: Moment(monotonic: now, wall: 0))
        }

        /// How many messages each mailbox keeps; -1: there is none.
        func kept(_ names: String..., kind: KeyKind = .channel) -> [Int] {
            names.map { store.summary(of: Self.key($0, kind))?.historyMessages ?? -1 }
        }
    }

    private var envelopeBytes: Int {
        get throws {
            var owner = try Owner([:])
            _ = owner.publish("chat:1")
            return owner.store.historyBytes
        }
    }

    // MARK: History

    @Test func aChannelKeepsAsManyMessagesAsItsNamespaceSays() throws {
        var limits = MailboxLimits()
        limits.historyMessagesMax = 3
        var owner = try Owner(
            limits: limits, ["few": { $0.historyMessages = 2 }, "many": { $0.historyMessages = 5 }, "none": { $0.historyMessages = 0 }])
        for step: Int64 in 0..<8 { for name in ["few:1", "many:1", "none:1", "other:1", "few"] { _ = owner.publish(name, at: step) } }
        for step: Int64 in 0..<8 { _ = owner.publish("few:1", .user, at: step) }
        #expect(owner.kept("few:1", "many:1", "none:1", "other:1", "few") == [2, 5, 0, 3, 3])
        #expect(owner.kept("few:1", kind: .user) == [3])
    }

    @Test func whereNothingIsKeptNobodyIsToldOtherwise() throws {
        var owner = try Owner(["none": { $0.historyMessages = 0 }])
        #expect(try owner.publish("none:1").get().outcome == .dropped)
        let cursor = Cursor(incarnation: try #require(owner.store.summary(of: Owner.key("none:1"))?.cursor.incarnation), sequence: 1)
        _ = try owner.read("none:1", .now, at: 1, stay: .always)
        #expect(try owner.publish("none:1", at: 1).get().outcome == .delivered)
        #expect(try owner.publish("other:1").get().outcome == .stored)
        let reply = try owner.read("none:1", .after(cursor), at: 2)
        #expect(reply.gap && reply.messages.isEmpty && reply.through == 2, "what was missed is said to be missing")
    }

    @Test func aChannelKeepsAsManyBytes() throws {
        let bytes = try envelopeBytes
        var owner = try Owner(["chat": { $0.historyBytes = 2 * bytes }])
        for step: Int64 in 0..<5 { for name in ["chat:1", "other:1"] { _ = owner.publish(name, at: step) } }
        #expect(owner.kept("chat:1", "other:1") == [2, 5])
    }

    @Test func messagesGrowOldWithAGap() throws {
        var owner = try Owner(["chat": { $0.historySeconds = 10 }])
        for now: Int64 in [0, 5_000, 9_000] { for name in ["chat:1", "other:1"] { _ = owner.publish(name, at: now) } }
        let incarnation = try owner.read("chat:1", .earliest, at: 9_999).incarnation
        #expect(try owner.read("chat:1", .earliest, at: 9_999).messages.map(\.sequence) == [1, 2, 3])
        let late = try owner.read("chat:1", .after(Cursor(incarnation: incarnation, sequence: 0)), at: 10_000)
        #expect(late.gap && late.messages.map(\.sequence) == [2, 3])
        #expect(try !owner.read("chat:1", .after(Cursor(incarnation: incarnation, sequence: 1)), at: 10_000).gap)
        _ = owner.publish("chat:1", at: 20_000)
        #expect(owner.kept("chat:1", "other:1") == [1, 3])
        #expect(try owner.read("other:1", .earliest, at: 40_000).messages.count == 3)
    }

    @Test func oldMessagesGoWithoutAnybodyAsking() throws {
        var owner = try Owner(["a": { _ in }, "chat": { $0.historySeconds = 10 }, "z": { $0.historySeconds = 1_000 }])
        for number in 0..<40 { for name in ["a", "chat", "z"] { _ = owner.publish("\(name):\(number)") } }
        let bytes = owner.store.historyBytes
        for _ in 0..<10 { owner.loop.machine.log.forgetIdle(now: 10_000) }
        #expect(owner.kept("chat:0", "chat:39", "a:0", "z:0") == [0, 0, 1, 1])
        #expect(owner.store.historyBytes < bytes * 7 / 10)
    }

    // MARK: Rate

    @Test func aChannelTakesMessagesAsFastAsItsNamespaceSays() throws {
        var owner = try Owner(["slow": { $0.messagesPerSecond = 2 }])
        func taken(_ name: String, at now: Int64) -> Int { (0..<10).filter { _ in (try? owner.publish(name, at: now).get()) != nil }.count }
        #expect(taken("slow:1", at: 0) == 4 && taken("slow:2", at: 0) == 4, "each channel by itself")
        #expect(taken("other:1", at: 0) == 10)
        #expect(owner.publish("slow:1", at: 0) == .failure(.tooFast))
        #expect(taken("slow:1", at: 1_000) == 2)
        #expect(owner.loop.machine.tooFastForNamespaces == 6 + 6 + 1 + 8)
        #expect(owner.loop.machine.tooFastForChannels == owner.loop.machine.tooFastForNamespaces)
    }

    // MARK: Quotas

    /// A loop has its share of what a node may have: here one of 64.
    private static let loops = 64

    @Test func aNamespaceHasSoManyChannels() throws {
        var owner = try Owner(["chat": { $0.channels = 2 * Self.loops }])
        #expect(try owner.publish("chat:1").get().sequence == 1)
        _ = try owner.read("chat:2", .now, at: 0, stay: .always)
        #expect(owner.publish("chat:3") == .failure(.overloaded))
        #expect(throws: Problem.overloaded) { try owner.read("chat:3", .now, at: 0, stay: .always) }
        #expect(try owner.read("chat:3", .earliest, at: 0).messages.isEmpty, "to look keeps nothing, so there is room for it")
        #expect(try owner.publish("chat:1").get().sequence == 2, "those that are there go on")
        #expect(try owner.publish("other:1").get().sequence == 1 && owner.publish("chat").get().sequence == 1)
        #expect(try owner.publish("chat:3", .user).get().sequence == 1)
        #expect(owner.loop.machine.channelsRefused == 2)
        #expect(owner.kept("chat:3") == [-1])
    }

    /// Names that are here only because somebody listens count too, and exactly as long.
    @Test func whoOnlyListensTakesAPlaceWhileItIsThere() throws {
        let (alice, bob) = (Principal(rawValue: 3), Principal(rawValue: 5))
        var limits = MailboxLimits()
        limits.clientNamesMax = 2
        limits.historyMessagesMax = 2
        var owner = try Owner(limits: limits, ["chat": { $0.channels = 2 * Self.loops }])
        let first = try owner.read("chat:1", .now, at: 0, stay: .always)
        _ = try owner.read("chat:2", .now, at: 0, stay: .always)
        #expect(throws: Problem.overloaded) { try owner.read("chat:3", .now, at: 0, stay: .always) }
        #expect(owner.publish("chat:3", by: alice) == .failure(.overloaded))
        #expect(owner.loop.machine.channelsRefused == 2 && owner.store.uses[0].mailboxCount == 2)
        owner.leave("chat:2", at: 1)
        #expect(owner.kept("chat:1", "chat:2") == [0, -1] && owner.store.uses[0].mailboxCount == 1)
        // The first message makes no second place of it, and says who sent it.
        #expect(try owner.publish("chat:1", at: 2, by: alice, from: SenderText.user(Array("alice".utf8))).get().outcome == .delivered)
        let messages = try owner.read("chat:1", .after(Cursor(incarnation: first.incarnation, sequence: 0)), at: 3).messages
        let texts = messages.map { String(decoding: $0.envelope, as: UTF8.self) }
        #expect(texts.count == 1 && texts[0].contains(#""channel":"chat:1","from":{"user":"alice"},"data""#), "\(texts)")
        owner.leave("chat:1", at: 4)
        #expect(owner.kept("chat:1") == [1] && owner.store.uses[0].mailboxCount == 1, "what was written stays")
        // Both budgets hold, each with its own words, and what one refuses does not count for the other.
        #expect(try owner.publish("other:1", at: 5, by: alice).get().sequence == 1)
        #expect(owner.publish("chat:2", at: 5, by: alice) == .failure(.tooManyNames))
        #expect(try owner.publish("chat:2", at: 5, by: bob).get().sequence == 1)
        #expect(owner.publish("chat:3", at: 5, by: bob) == .failure(.overloaded))
        #expect(owner.store.mailboxes.owners.names(of: bob) == 1 && owner.loop.machine.tooManyNamesOfClients == 1)
        // What makes room for a name is no longer its publisher's.
        #expect(try owner.publish("chat:1", at: 5, ttl: 0).get().sequence == 2)
        for now: Int64 in 6...7 { _ = owner.publish("chat:2", at: now, by: bob, ttl: 0) }
        #expect(try owner.read("chat:3", .now, at: 20_000, stay: .always).isLive)
        #expect(owner.kept("chat:1", "chat:2", "chat:3") == [2, -1, 0] && owner.store.mailboxes.owners.names(of: bob) == 0)
    }

    @Test func aChannelThatKeepsNothingMakesRoom() throws {
        var owner = try Owner(["chat": { $0.channels = 2 * Self.loops }])
        _ = owner.publish("chat:1")
        _ = owner.publish("chat:2", ttl: 5)
        // The message is over, but a publish of it may still be repeated.
        #expect(owner.publish("chat:3", at: 9_000) == .failure(.overloaded))
        #expect(try owner.publish("chat:3", at: 10_001).get().sequence == 1)
        #expect(owner.kept("chat:1", "chat:2", "chat:3") == [1, -1, 1], "one that keeps something stays")
        _ = try owner.read("chat:3", .now, at: 10_001, stay: .always)
        #expect(owner.publish("chat:4", at: 99_000) == .failure(.overloaded))
    }

    @Test func aNamespaceKeepsSoManyBytes() throws {
        let bytes = try envelopeBytes
        var owner = try Owner(["chat": { $0.bytes = 4 * bytes * Self.loops }])
        for name in ["other:1", "chat:1", "chat:1", "chat:2", "chat:2"] { _ = owner.publish(name) }
        #expect(owner.kept("chat:1", "chat:2", "other:1") == [2, 2, 1])
        for step: Int64 in 1...2 { _ = owner.publish("chat:3", at: step) }
        #expect(owner.kept("chat:1", "chat:2", "chat:3", "other:1") == [1, 1, 2, 1], "what was not used of late goes first")
        _ = owner.publish("chat:1", at: 3, bytes: 10_000)
        #expect(owner.kept("chat:1", "chat:2", "chat:3", "other:1") == [0, 0, 0, 1], "larger than all that may be kept")
        #expect(try owner.publish("chat:1", at: 4).get().sequence == 4, "places are remembered")
    }

    /// A copy is kept as its owner says: what is refused here would be missing when this node takes over.
    @Test func quotasOfChannelsDoNotTouchCopies() throws {
        var owner = try Owner(["chat": { $0.channels = Self.loops }])
        _ = owner.publish("chat:1")
        var store = owner.store
        for number in 2...5 {
            let message = StoredMessage(sequence: 1, envelope: [0x31])
            store.apply(.message(Owner.key("chat:\(number)"), incarnation: 9, message, nil), now: 0)
        }
        #expect(store.mailboxCount == 5 && store.uses[0].mailboxCount == 5)
        var other = try Owner(["chat": { $0.channels = Self.loops }]).store
        let copy = store.chunks(ofSlot: Owner.key("chat:1").slot, base: 0, position: 5, now: 0, bytesMax: 1_000)
        // Each time the same mailboxes come in the same places: those that stand in the ring already don't stand there again and again.
        for _ in 0..<100 { other.replace(slot: Owner.key("chat:1").slot, with: copy, now: 0) }
        #expect(other.mailboxCount == 5 && other.uses[0].mailboxCount == 5 && !other.uses[0].isStale)
        #expect(other.uses[0].bytes == other.historyBytes && other.historyBytes == store.historyBytes)
    }

    /// There are very many, and most are in no namespace.
    @Test func aNamespacesNumberTakesNoMemory() throws {
        let key = try #require(MemoryLayout<Mailbox>.offset(of: \.key)) + MemoryLayout<Key>.size
        let number = try #require(MemoryLayout<Mailbox>.offset(of: \.namespace))
        #expect(number - key < 2 && MemoryLayout<Mailbox>.offset(of: \.incarnation) == MemoryLayout<Key>.stride)
    }

    @Test(arguments: 1...6) func countsAreRightAfterEveryStep(seed: UInt64) throws {
        var limits = MailboxLimits()
        limits.storeBytesMax = 6_000
        limits.mailboxesMax = 30
        limits.idleMilliseconds = 30_000
        var owner = try Owner(
            limits: limits,
            [
                "a": {
                    $0.channels = 6 * Self.loops
                    $0.bytes = 1_500 * Self.loops
                }, "b": { $0.historySeconds = 2 }, "c": { $0.historyMessages = 0 },
            ])
        var dice = SplitMix64(seed: seed)
        for step in 0..<3_000 {
            let now = Int64(step) * 20
            let name = "\(["a", "b", "c", "d"].randomElement(using: &dice) ?? ""):\(Int.random(in: 0..<9, using: &dice))"
            switch Int.random(in: 0..<10, using: &dice) {
            case 0: _ = try? owner.read(name, .now, at: now, stay: .always)
            case 1: owner.leave(name, at: now)
            case 2: owner.loop.machine.log.forgetIdle(now: now, limit: 3)
            default:
                _ = owner.publish(
                    name, at: now, by: Principal(rawValue: UInt64.random(in: 0...5, using: &dice)),
                    bytes: Int.random(in: 0..<300, using: &dice), ttl: [nil, 1, 0].randomElement(using: &dice) ?? nil)
            }
            let store = owner.store
            let all = ["a", "b", "c", "d"].map { namespace in
                (0..<9).compactMap { store.summary(of: Owner.key("\(namespace):\($0)")) }
            }
            let isRight =
                zip(all, store.uses).allSatisfy { $1.mailboxCount == $0.count && $1.bytes == $0.reduce(0) { $0 + $1.historyBytes } }
                && all[0].count <= 6 && store.uses[0].bytes <= 1_500 && store.uses[2].bytes == 0
                && store.historyBytes == all.joined().reduce(0) { $0 + $1.historyBytes } && store.mailboxCount == all.joined().count
            guard isRight else {
                Issue.record("seed \(seed), step \(step): \(store.uses.map { ($0.mailboxCount, $0.bytes) })")
                return
            }
        }
    }
}
