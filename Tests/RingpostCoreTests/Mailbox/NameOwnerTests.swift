// Whose names a store holds: a budget for each principal, and who loses something when there is no room.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct NameOwnerTests {
    private static let key = Principal(rawValue: 2)
    private static let otherKey = Principal(rawValue: 4)
    private static let client = Principal(rawValue: 3)
    private static let otherClient = Principal(rawValue: 5)

    private static func loop(_ change: (inout MailboxLimits) -> Void) -> LoneShard {
        var limits = MailboxLimits()
        change(&limits)
        return LoneShard(limits: limits)
    }

    private static func publish(
        _ name: UInt8, by principal: Principal, hops: UInt8 = 0, to loop: inout LoneShard, at now: Int64 = 0
    ) -> String? {
        let publish = Publish(
            key: LoneShard.key(name), id: MessageID(high: 0, low: 1), principal: principal, isRepeatable: false, data: [0x31],
            deadline: .max)
        let actions = loop.publish(
            publish, answerTo: ReturnAddress(connectionID: 0, id: 0), hops: hops, at: Moment(monotonic: now, wall: 0))
        guard case .answer(_, let result) = actions.last else { return nil }
        return result.words
    }

    private static func names(_ loop: LoneShard) -> [UInt8] {
        (1...30).filter { loop.store.summary(of: LoneShard.key($0)) != nil }
    }

    @Test func eachHasABudgetOfNewNames() {
        var loop = Self.loop { limits in
            limits.clientNamesMax = 2
            limits.keyNamesMax = 3
        }
        for name: UInt8 in 1...2 { #expect(Self.publish(name, by: Self.client, to: &loop) == "#1 alone") }
        #expect(Self.publish(3, by: Self.client, to: &loop) == "too_many_names")
        #expect(Self.publish(3, by: Self.client, hops: 1, to: &loop) == "too_many_names")
        #expect(Self.publish(1, by: Self.client, to: &loop) == "#2 alone", "it has that name already")
        for name: UInt8 in 4...6 { #expect(Self.publish(name, by: Self.key, to: &loop) == "#1 alone") }
        #expect(Self.publish(7, by: Self.key, to: &loop) == "too_many_names")
        #expect(Self.publish(4, by: Self.client, to: &loop) == "#2 alone", "another's name costs nothing")
        #expect(Self.publish(7, by: Self.otherClient, to: &loop) == "#1 alone")
        for name: UInt8 in 8...20 { #expect(Self.publish(name, by: .unnamed, to: &loop) == "#1 alone") }
        #expect(loop.machine.tooManyNamesOfClients == 2 && loop.machine.tooManyNamesOfKeys == 1)
        #expect(loop.store.summary(of: LoneShard.key(3)) == nil)
        // Names that are forgotten count no more.
        var actions: [ShardAction] = []
        loop.machine.onTick(now: Moment(monotonic: 25 * 3_600_000, wall: 0), actions: &actions)
        #expect(Self.publish(3, by: Self.client, to: &loop, at: 25 * 3_600_000) == "#1 alone")
    }

    /// Most clusters have one backend with one key.
    @Test func aKeyAloneFillsTheStoreAndGoesOn() {
        var loop = Self.loop { $0.mailboxesMax = 4 }
        #expect(MailboxLimits().keyNamesMax > MailboxLimits().mailboxesMax)
        for name: UInt8 in 1...6 { #expect(Self.publish(name, by: Self.key, to: &loop) == "#1 alone") }
        #expect(Self.names(loop) == Array(3...6))
    }

    @Test func whoFillsTheStoreLosesFirst() {
        var loop = Self.loop { $0.mailboxesMax = 12 }
        for name: UInt8 in 1...3 { _ = Self.publish(name, by: Self.key, to: &loop) }
        for name: UInt8 in 4...5 { _ = Self.publish(name, by: .unnamed, to: &loop) }
        for name: UInt8 in 6...25 { #expect(Self.publish(name, by: Self.client, to: &loop) == "#1 alone") }
        #expect(Self.names(loop) == Array(1...5) + Array(19...25), "its own, the oldest first, although others are older")
        #expect(Self.publish(26, by: Self.otherKey, to: &loop) == "#1 alone")
        #expect(Self.publish(27, by: .unnamed, to: &loop) == "#1 alone")
        #expect(Self.names(loop) == Array(1...5) + Array(21...27), "and others' new names take from whoever has most")
    }

    @Test func whereNobodyHasTooMuchTheOldestGoes() {
        var loop = Self.loop { $0.mailboxesMax = 4 }
        for name: UInt8 in 1...4 { _ = Self.publish(name, by: Principal(rawValue: UInt64(name) * 2), to: &loop) }
        _ = Self.publish(1, by: Principal(rawValue: 2), to: &loop)
        _ = Self.publish(5, by: Principal(rawValue: 10), to: &loop)
        // Everybody has one, and an even share is none: of those with most, the one used longest ago.
        #expect(Self.names(loop).count == 4 && loop.store.summary(of: LoneShard.key(5)) != nil)
    }

    @Test func whatIsAttachedIsNotTakenFromAnOffender() throws {
        var loop = Self.loop { $0.mailboxesMax = 3 }
        _ = Self.publish(1, by: Self.key, to: &loop)
        for name: UInt8 in 2...3 {
            _ = Self.publish(name, by: Self.client, to: &loop)
            let request = AttachRequest(
                key: LoneShard.key(name), address: ReturnAddress(connectionID: 1, id: 1), start: .now, stay: .always)
            _ = try loop.attach(request, at: 0).get()
        }
        #expect(Self.publish(4, by: Self.client, to: &loop) == "#1 alone")
        #expect(Self.names(loop) == [2, 3, 4])
    }

    /// Who writes first to the names of others must not have their histories in its hand.
    @Test func aNameGoesOverToThoseWhoUseIt() {
        var loop = Self.loop { $0.clientNamesMax = 3 }
        for name: UInt8 in 1...3 { _ = Self.publish(name, by: Self.client, to: &loop) }
        #expect(Self.publish(4, by: Self.client, to: &loop) == "too_many_names")
        _ = Self.publish(1, by: Self.key, to: &loop)
        #expect(Self.publish(4, by: Self.client, to: &loop) == "#1 alone", "1 is the key's now")
        _ = Self.publish(2, by: Self.otherClient, to: &loop)
        #expect(Self.publish(5, by: Self.client, to: &loop) == "#1 alone", "2 is the other client's, who has fewer")
        _ = Self.publish(1, by: Self.client, to: &loop)
        _ = Self.publish(3, by: .unnamed, to: &loop)
        #expect(Self.publish(6, by: Self.client, to: &loop) == "#1 alone")
        #expect(Self.publish(7, by: Self.client, to: &loop) == "too_many_names")
    }

    /// The next owner counts the same, from steps and from copies.
    @Test func namesGoWhereTheirMailboxesGo() {
        var limits = ShardLimits()
        limits.mailbox.clientNamesMax = 2
        let net = InMemoryCluster.settled("abcd", "abcd", limits: limits)
        for name: UInt8 in 1...2 { net.publish(UInt64(name), at: "d", net.key(name), of: Self.client) }
        net.run()
        net.publish(3, at: "d", net.key(3), of: Self.client)
        net.run()
        #expect((1...3).map { net.result($0) } == ["#1", "#1", "too_many_names"])
        net.kill("a")
        net.view(2, "bcd")
        net.pass(100)
        net.publish(4, at: "d", net.key(3), of: Self.client)
        net.pass(100)
        #expect(net.result(4) == "too_many_names", "from steps")
        net.view(3, "cd")
        net.pass(100)
        net.publish(5, at: "d", net.key(3), of: Self.client)
        net.publish(6, at: "d", net.key(3), of: Self.otherClient)
        net.pass(100)
        #expect(net.result(5) == "too_many_names" && net.result(6) == "#1", "from a copy")
    }

    @Test(arguments: 1...8) func countsAreRightAfterEveryStep(seed: UInt64) {
        var loop = Self.loop { limits in
            limits.mailboxesMax = 10
            limits.clientNamesMax = 4
            limits.departedMax = 3
            limits.idleMilliseconds = 60
        }
        var dice = SplitMix64(seed: seed)
        for step: Int64 in 0..<3_000 {
            let name = UInt8.random(in: 1...25, using: &dice)
            let address = ReturnAddress(connectionID: 1, id: 1)
            switch Int.random(in: 0..<10, using: &dice) {
            case 0:
                _ = loop.attach(AttachRequest(key: LoneShard.key(name), address: address, start: .now, stay: .always), at: step)
            case 1: loop.machine.detach(address, from: LoneShard.key(name), now: Moment(monotonic: step, wall: step))
            case 2: loop.machine.log.forgetIdle(now: step, limit: 3)
            default: _ = Self.publish(name, by: Principal(rawValue: UInt64.random(in: 0...5, using: &dice)), to: &loop, at: step)
            }
            if let fault = loop.store.fault {
                Issue.record("seed \(seed), step \(step): \(fault)")
                return
            }
        }
    }
}

extension MailboxStore {
    /// What does not fit together, counted anew.
    fileprivate var fault: String? {
        let all = (1...25 as ClosedRange<UInt8>).compactMap { mailboxIndex(of: LoneShard.key($0)) }.map { mailboxes.all[$0] }
        let written = all.filter(\.isWritten)
        if written.count != mailboxes.writtenCount || written.count > 10 { return "\(written.count) with messages" }
        if all.count - written.count != mailboxes.unwrittenCount { return "\(all.count - written.count) without" }
        let departed = all.filter { !$0.isWritten && $0.attachments.isEmpty }.count
        if departed != mailboxes.departedCount || departed > 3 { return "\(departed) departed, \(mailboxes.departedCount) counted" }
        for principal in (1...5).map({ Principal(rawValue: $0) }) {
            let names = written.filter { $0.principal == principal }.count
            if names != mailboxes.owners.names(of: principal) { return "\(names) of \(principal.rawValue)" }
            if principal.isClient, names > 4 { return "\(names) of client \(principal.rawValue)" }
        }
        if let heaviest = mailboxes.owners.heaviest, mailboxes.owners.all[heaviest].names == 0 { return "the heaviest has nothing" }
        return all.contains { !$0.isWritten && !$0.principal.isUnnamed } ? "a name without messages is somebody's" : nil
    }
}
