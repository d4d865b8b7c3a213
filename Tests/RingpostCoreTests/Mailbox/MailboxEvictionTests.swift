// The store at each of its bounds, one by one: what goes first, what is refused, and what is never forgotten early.
// Time is whatever the test says.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct MailboxEvictionTests {
    /// An owner whose messages all have envelopes of one length.
    private struct Owner {
        private var loop: LoneShard
        var store: MailboxStore { loop.machine.log.mailboxes }
        var log: SlotLog {
            get { loop.machine.log }
            _modify { yield &loop.machine.log }
        }

        init(_ change: (inout MailboxLimits) -> Void) {
            var limits = MailboxLimits()
            change(&limits)
            loop = LoneShard(limits: limits)
        }

        static func key(_ name: UInt8) -> Key { LoneShard.key(name, slot: Int(name)) }

        mutating func publish(_ name: UInt8, at now: Int64 = 0, bytes: Int = 10, repeatable id: UInt64? = nil) -> Result<UInt64, Problem> {
            let publish = Publish(
                key: Self.key(name), id: MessageID(high: 0, low: id ?? 0), isRepeatable: id != nil,
                data: Array(repeating: UInt8(ascii: "1"), count: bytes), deadline: .max)
            let actions = loop.publish(publish, answerTo: ReturnAddress(connectionID: 0, id: 0), at: Moment(monotonic: now, wall: 0))
            guard case .answer(_, let result) = actions.last else { return .failure(.internalError) }
            return result.map(\.sequence)
        }

        mutating func attach(_ name: UInt8, id: UInt64 = 1, at now: Int64 = 0) -> Problem? {
            let request = AttachRequest(key: Self.key(name), address: ReturnAddress(connectionID: 1, id: id), start: .now, stay: .always)
            switch loop.attach(request, at: now) {
            case .success: return nil
            case .failure(let problem): return problem
            }
        }

        /// How many messages each mailbox keeps; -1: there is none.
        func kept(_ names: ClosedRange<UInt8>) -> [Int] { names.map { store.summary(of: Self.key($0))?.historyMessages ?? -1 } }
    }

    /// The bytes of one envelope that `Owner.publish` makes with a sequence number of one digit.
    private var envelopeBytes: Int {
        var owner = Owner { _ in }
        _ = owner.publish(1)
        return owner.store.historyBytes
    }

    @Test func historyCount() {
        var owner = Owner { $0.historyMessagesMax = 3 }
        for _ in 0..<5 { _ = owner.publish(1) }
        #expect(owner.kept(1...1) == [3])
        #expect(owner.store.historyBytes == 3 * envelopeBytes)
    }

    @Test func historyBytes() {
        var owner = Owner { [envelopeBytes] in $0.historyBytesMax = 2 * envelopeBytes }
        for _ in 0..<2 { _ = owner.publish(1) }
        #expect(owner.kept(1...1) == [2])
        _ = owner.publish(1)
        #expect(owner.kept(1...1) == [2])
        _ = owner.publish(1, bytes: 1_000)
        #expect(owner.kept(1...1) == [1], "a message larger than the bound is kept alone")
    }

    @Test func theStoreShedsWhatWasUsedLongestAgo() {
        var owner = Owner { [envelopeBytes] in $0.storeBytesMax = 4 * envelopeBytes }
        for name: UInt8 in 1...2 { for _ in 0..<2 { _ = owner.publish(name) } }
        _ = owner.publish(1)
        #expect(owner.kept(1...2) == [3, 1], "2 was used longest ago")
        _ = owner.publish(3)
        #expect(owner.kept(1...3) == [3, 0, 1])
        _ = owner.publish(3)
        #expect(owner.kept(1...3) == [2, 0, 2])
        _ = owner.publish(2)
        #expect(owner.kept(1...3) == [1, 1, 2])
        _ = owner.publish(4, bytes: 10_000)
        #expect(owner.kept(1...4) == [0, 0, 0, 0], "larger than everything that may be kept")
        #expect(owner.store.historyBytes == 0)
        #expect(owner.publish(1) == .success(4), "the places are remembered")
        #expect(owner.publish(4) == .success(2))
        #expect(owner.kept(1...4) == [1, 0, 0, 1])
    }

    @Test func theLargestHistoriesAreTrimmedFirst() {
        var owner = Owner { $0.historyBytesMax = 400_000 }
        for (name, count) in [(1, 9), (2, 39), (3, 19), (4, 6)] as [(UInt8, Int)] {
            for _ in 0..<count { _ = owner.publish(name, bytes: 10_000) }
        }
        let before = owner.store.historyBytes
        let freed = owner.log.trimHistories(.max, now: 0)
        // Half of what a mailbox may have, and more than that, was one mailbox's.
        #expect(owner.kept(1...4) == [9, 9, 19, 6] && owner.store.historyBytes == before - freed && freed > 290_000)
        // The next round halves what has half of that; the last one leaves what is little.
        _ = owner.log.trimHistories(.max, now: 1_000)
        #expect(owner.kept(1...4) == [9, 9, 4, 6])
        for _ in 0..<4 { _ = owner.log.trimHistories(.max, now: 2_000) }
        #expect(owner.kept(1...4) == [3, 3, 4, 6], "64 KiB are little")
        #expect(owner.log.trimHistories(.max, now: 3_000) == 0)
        // Enough is enough, and after a rest the largest is the first again.
        for _ in 0..<39 { _ = owner.publish(2, bytes: 10_000) }
        for _ in 0..<9 { _ = owner.publish(1, bytes: 10_000) }
        let rested: Int64 = 3_000 + HistoryTrim.restMilliseconds
        #expect((1...20_000).contains(owner.log.trimHistories(1, now: rested)))
        #expect(owner.kept(1...4)[0] == 12 && owner.kept(1...4)[1] < 39)
        #expect(owner.publish(2) == .success(79), "the places are remembered")
    }

    @Test(arguments: 1...8) func countsAreRightAfterEveryStep(seed: UInt64) {
        var owner = Owner { limits in
            limits.storeBytesMax = 2_000
            limits.historyMessagesMax = 4
            limits.mailboxesMax = 12
            limits.idleMilliseconds = 40
        }
        var dice = seed
        for step: Int64 in 0..<3_000 {
            dice = dice &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let name = UInt8(truncatingIfNeeded: dice >> 33) % 20
            switch (dice >> 50) % 10 {
            case 0: _ = owner.attach(name, at: step)
            case 1: _ = owner.log.detach(ReturnAddress(connectionID: 1, id: 1), from: Owner.key(name), now: Moment(monotonic: 0, wall: 0))
            case 2: owner.log.forgetIdle(now: step, limit: 3)
            default: _ = owner.publish(name, at: step, bytes: Int((dice >> 40) % 300))
            }
            let summaries = (0..<20).compactMap { owner.store.summary(of: Owner.key($0)) }
            let isRight =
                owner.store.historyBytes == summaries.reduce(0) { $0 + $1.historyBytes } && owner.store.historyBytes <= 2_000
                && owner.store.attachmentCount == summaries.reduce(0) { $0 + $1.attachments.count }
                && owner.store.mailboxCount == summaries.count
                && summaries.count { $0.cursor.sequence > 0 } <= 12
            guard isRight else {
                Issue.record("seed \(seed), step \(step): \(summaries)")
                return
            }
        }
    }

    @Test func mailboxesAreForgottenInTheOrderOfUse() {
        var owner = Owner { $0.mailboxesMax = 3 }
        for name: UInt8 in 1...3 { _ = owner.publish(name) }
        _ = owner.publish(1)
        _ = owner.publish(4)
        #expect(owner.kept(1...4) == [2, -1, 1, 1])
        #expect(owner.attach(3) == nil)
        _ = owner.publish(1)
        _ = owner.publish(4)
        _ = owner.publish(5)
        #expect(owner.kept(1...5) == [-1, -1, 1, 2, 1], "3 was used longest ago, but somebody is attached")
        #expect(owner.store.evictedCount == 2)
        #expect(owner.store.mailboxCount == 3)
    }

    @Test func aStoreInUseTakesNoMoreMailboxes() {
        var owner = Owner { limits in
            limits.mailboxesMax = 2
            limits.unwrittenMax = 1
        }
        for name: UInt8 in 1...2 {
            #expect(owner.publish(name) == .success(1))
            #expect(owner.attach(name) == nil)
        }
        #expect(owner.publish(3) == .failure(.overloaded))
        #expect(owner.attach(3) == nil, "for that nobody's history has to go")
        #expect(owner.attach(4) == .overloaded)
        #expect(owner.publish(1) == .success(2))
        _ = owner.log.detach(ReturnAddress(connectionID: 1, id: 1), from: Owner.key(2), now: Moment(monotonic: 0, wall: 0))
        #expect(owner.publish(3) == .success(1))
        #expect(owner.kept(1...4) == [2, -1, 1, -1])
    }

    @Test func attachmentsToOneMailbox() {
        var owner = Owner { $0.attachmentsMax = 2 }
        #expect(owner.attach(1, id: 1) == nil)
        #expect(owner.attach(1, id: 2) == nil)
        #expect(owner.attach(1, id: 3) == .overloaded)
        #expect(owner.attach(1, id: 2) == nil, "attached already")
        #expect(owner.attach(2, id: 3) == nil)
        #expect(owner.store.attachmentCount == 3)
    }

    @Test func aFullWindowRefusesRatherThanForget() {
        var owner = Owner { limits in
            limits.windowEntriesMax = 2
            limits.windowMilliseconds = 100
            limits.windowWaitMilliseconds = 0
        }
        #expect(owner.publish(1, at: 0, repeatable: 1) == .success(1))
        #expect(owner.publish(1, at: 50, repeatable: 2) == .success(2))
        #expect(owner.publish(1, at: 60, repeatable: 3) == .failure(.windowFull))
        #expect(owner.publish(1, at: 99, repeatable: 1) == .success(1), "not forgotten early")
        #expect(owner.publish(1, at: 99) == .success(3), "without a key there is room")
        #expect(owner.publish(1, at: 100, repeatable: 3) == .success(4))
        #expect(owner.store.windowCount == 2)
    }

    @Test func idleMailboxesAreForgotten() {
        var owner = Owner { $0.idleMilliseconds = 1_000 }
        for name: UInt8 in 1...4 { _ = owner.publish(name, at: Int64(name)) }
        #expect(owner.attach(2, at: 5) == nil)
        owner.log.forgetIdle(now: 1_000)
        #expect(owner.kept(1...4) == [1, 1, 1, 1])
        owner.log.forgetIdle(now: 1_001)
        #expect(owner.kept(1...4) == [-1, 1, 1, 1])
        owner.log.forgetIdle(now: 1_500, limit: 1)
        #expect(owner.kept(1...4) == [-1, 1, -1, 1])
        owner.log.forgetIdle(now: 1_500)
        #expect(owner.kept(1...4) == [-1, 1, -1, -1], "somebody is attached to 2")
        _ = owner.log.detach(ReturnAddress(connectionID: 1, id: 1), from: Owner.key(2), now: Moment(monotonic: 0, wall: 0))
        owner.log.forgetIdle(now: 2_500)
        #expect(owner.store.mailboxCount == 0)
        #expect(owner.store.historyBytes == 0)
    }
}
