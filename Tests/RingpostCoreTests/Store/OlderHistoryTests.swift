// Histories that reach back further than memory: what is read of them is what was published, until a bound drops it.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct OlderHistoryTests {
    private static func shard(
        memory: Int = 10, messages: Int = 1_000_000, configure: (inout MailboxLimits) -> Void = { _ in }
    ) -> StoredShard {
        StoredShard { limits in
            limits.memoryMessagesMax = memory
            limits.historyMessagesMax = messages
            limits.replayBytesMax = 2_048
            configure(&limits)
        }
    }

    // MARK: Reading

    @Test func aSocketIsBroughtOnFromTheStoreAndThenFromMemory() throws {
        let alice = try StoredShard.key("alice")
        let shard = Self.shard()
        shard.publish(100, to: alice)
        #expect(shard.kept(alice) == [10, 100])
        #expect(shard.follow(alice, .earliest) == .init(1...100))
        #expect(shard.follow(alice, .after(shard.cursor(alice, 40))) == .init(41...100))
        // Whoever is in memory costs the disk nothing.
        let before = shard.reads
        #expect(before > 0)
        #expect(shard.follow(alice, .after(shard.cursor(alice, 90))) == .init(91...100))
        #expect(shard.follow(alice, .now).seen.isEmpty && shard.reads == before)
    }

    @Test(arguments: [1, 7, 10, 33, 1_000]) func pagesGoThroughMemoryAndTheStore(countMax: Int) throws {
        let alice = try StoredShard.key("alice")
        let shard = Self.shard()
        shard.publish(95, to: alice)
        for isBackwards in [false, true] {
            var (seen, place, pages): ([UInt64], Cursor?, Int) = ([], nil, 0)
            while true {
                let page = try #require(
                    shard.page(
                        HistoryQuery(
                            key: alice, since: isBackwards ? nil : place.map(AttachStart.after) ?? .earliest,
                            before: isBackwards ? place : nil, countMax: countMax)))
                let numbers = page.messages.map(\.sequence)
                seen = isBackwards ? numbers + seen : seen + numbers
                pages += 1
                #expect(!page.gap && numbers.count <= countMax)
                place = page.next
                if !page.hasMore { break }
            }
            #expect(seen == Array(1...95) && pages >= 95 / countMax)
        }
    }

    @Test func anotherProcessGoesOnWithAllOfIt() throws {
        let (alice, bob) = (try StoredShard.key("alice"), try StoredShard.key("bob"))
        let shard = Self.shard()
        shard.publish(100, to: alice)
        shard.publish(4, to: bob)
        shard.restart()
        #expect(shard.kept(alice) == [10, 100] && shard.kept(bob) == [4, 4])
        #expect(shard.follow(alice, .earliest) == .init(1...100))
        shard.publish(50, to: alice)
        shard.restart()
        shard.publish(3, to: alice)
        #expect(shard.follow(alice, .after(shard.cursor(alice, 20))) == .init(21...153))
        #expect(shard.follow(bob, .earliest) == .init(1...4))
    }

    @Test func withoutAStoreMemoryKeepsAllThatIsKept() throws {
        var limits = MailboxLimits()
        limits.memoryMessagesMax = 3
        var loop = LoneShard(limits: limits)
        for number in 1...10 as ClosedRange<UInt64> {
            let publish = Publish(
                key: LoneShard.key(), id: MessageID(high: 0, low: number), isRepeatable: false, data: [0x31], timeToLiveSeconds: nil,
                deadline: .max)
            _ = loop.publish(
                publish, answerTo: ReturnAddress(connectionID: 9, id: number), at: Moment(monotonic: Int64(number), wall: 0))
        }
        let mailboxIndex = try #require(loop.store.mailboxIndex(of: LoneShard.key()))
        #expect(loop.store.mailboxes.all[mailboxIndex].history.count == 10 && loop.store.older[mailboxIndex] == nil)
    }

    // MARK: Bounds

    @Test func aMailboxKeepsSoManyMessages() throws {
        let alice = try StoredShard.key("alice")
        let shard = Self.shard(messages: 50)
        shard.publish(100, to: alice)
        #expect(shard.kept(alice) == [10, 50])
        #expect(shard.follow(alice, .earliest) == .init(51...100))
        #expect(shard.follow(alice, .after(shard.cursor(alice, 49))) == .init(51...100, gaps: [50]))
        #expect(shard.follow(alice, .after(shard.cursor(alice, 50))) == .init(51...100))
        let back = try #require(shard.page(HistoryQuery(key: alice, since: nil, before: shard.cursor(alice, 60), countMax: 100)))
        #expect(back.messages.map(\.sequence) == Array(51...59) && back.gap && !back.hasMore)
        shard.restart()
        #expect(shard.follow(alice, .after(shard.cursor(alice, 3))) == .init(51...100, gaps: [50]))
        // What was dropped goes from the disk as well, when no receipt can be in it any more.
        shard.wait(60_000)
        shard.publish(1, to: alice)
        shard.wait(60_000)
        shard.publish(1, to: alice)
        #expect(shard.store.tables[.contents]?.keys.count { $0.contains(StoreKey.messages) } ?? 0 < 60)
    }

    @Test func aMailboxKeepsSoManyBytes() throws {
        let alice = try StoredShard.key("alice")
        let shard = Self.shard { $0.historyBytesMax = 100_000 }
        shard.publish(400, to: alice, bytes: 1_000)
        let kept = try #require(shard.machine.log.mailboxes.summary(of: alice))
        #expect(kept.historyBytes <= 100_000 && kept.historyBytes > 97_000)
        #expect(shard.follow(alice, .earliest).seen.count == kept.historyMessages)
        // After a start the sizes of what is not read are about what some of it has.
        shard.restart()
        let again = try #require(shard.machine.log.mailboxes.summary(of: alice))
        #expect(again.historyMessages == kept.historyMessages && again.historyBytes == kept.historyBytes)
    }

    /// Of eight messages that are looked at one is forty times as large as most: a guess takes nothing away.
    @Test func aStartTakesNothingAwayBecauseOfAGuess() throws {
        let alice = try StoredShard.key("alice")
        let shard = Self.shard { $0.historyBytesMax = 60_000 }
        for number in 0..<200 { shard.publish(1, to: alice, bytes: number % 10 == 4 ? 4_000 : 100) }
        let kept = try #require(shard.machine.log.mailboxes.summary(of: alice))
        for _ in 0..<3 {
            shard.restart()
            _ = shard.follow(alice, .earliest)
            #expect(shard.machine.log.mailboxes.summary(of: alice)?.historyMessages == kept.historyMessages)
        }
    }

    /// What another node has sent may make no sense.
    @Test func senselessNumbersEndNothing() {
        func message(_ sequence: UInt64) -> StoredMessage { StoredMessage(sequence: sequence, envelope: Array(repeating: 1, count: 100)) }
        let bounds = OlderHistory.StretchBounds(messagesMax: 100_000, bytesMax: 1_000_000, milliseconds: .max)
        var far = OlderHistory(begin: 0)
        for sequence in [1, 1 << 61] as [UInt64] { _ = far.append(message(sequence), bounds: bounds) }
        #expect(far.drop(1 << 60).bytes <= 200)
        far.cut(before: 1 << 60)
        var back = OlderHistory(begin: 4)
        for sequence in [5, 3] as [UInt64] { _ = back.append(message(sequence), bounds: bounds) }
        for _ in 0..<2 where !back.stretches.isEmpty { _ = back.drop(back.count(ofBytes: 1_000)) }
        #expect(back.stretches.isEmpty && back.bytes == 0)
    }

    @Test func placesOfWhatIsGoneDoNotPileUp() {
        var histories = OlderHistories()
        let bounds = OlderHistory.StretchBounds(messagesMax: 64, bytesMax: 1_000_000, milliseconds: .max)
        for incarnation in 1...2_000 as ClosedRange<UInt64> {
            // Another mailbox at the same place, and a copy of it that comes again.
            _ = histories.remove(0)
            histories.append(StoredMessage(sequence: 1, envelope: [1]), at: 0, incarnation: incarnation, bounds: bounds)
            if let history = histories[0] { histories.set(history, at: 0, incarnation: incarnation) }
        }
        #expect(histories.placeCount <= 67 && histories.nextToShed() == 0)
    }

    /// Two stretches that lie together were all past their time to live when they went. Of one that was only in part, a gap is told.
    @Test func whatHasExpiredBeforeItWentIsNoGap() throws {
        let alice = try StoredShard.key("alice")
        let count = 2 * OlderHistory.StretchBounds.messagesMin
        let shard = Self.shard(messages: count)
        shard.publish(count, to: alice, timeToLiveSeconds: 1)
        let begin = shard.cursor(alice, 0)
        shard.wait(2_000)
        shard.publish(count, to: alice)
        let seen = shard.follow(alice, .after(begin))
        #expect(seen.gaps.isEmpty && seen.seen.first == UInt64(count + 1))
    }

    @Test func memoryIsTrimmedFromWhatItHolds() {
        var limits = MailboxLimits()
        limits.historyBytesMax = 1 << 34
        var store = MailboxStore(limits: limits)
        store.beginJournal()
        #expect(store.trimming.threshold == MailboxLimits().memoryBytesMax / 2)
    }

    @Test func aMailboxKeepsThemForSoLong() throws {
        let alice = try StoredShard.key("alice")
        let shard = Self.shard { $0.historyMilliseconds = 10_000 }
        shard.publish(100, to: alice)
        shard.wait(5_000)
        shard.publish(20, to: alice)
        #expect(shard.follow(alice, .earliest) == .init(1...120))
        shard.wait(4_950)
        // A part of what lies together is too old: it is not shown, whether it is dropped yet or not.
        #expect(shard.follow(alice, .after(shard.cursor(alice, 0))) == .init(71...120, gaps: [70]))
        shard.wait(2_000)
        #expect(shard.follow(alice, .earliest).seen == Array(101...120))
        shard.restart()
        #expect(shard.follow(alice, .after(shard.cursor(alice, 7))) == .init(101...120, gaps: [100]))
    }

    @Test func theStoreKeepsSoManyBytesAndTheOldestGoFirst() throws {
        let (alice, bob) = (try StoredShard.key("alice"), try StoredShard.key("bob"))
        // A loop's share.
        let shard = Self.shard { $0.storedBytesMax = 64 * 200_000 }
        shard.publish(170, to: alice, bytes: 1_000)
        shard.publish(30, to: bob, bytes: 1_000)
        #expect(shard.machine.shedCount > 0, "alice's oldest are gone")
        #expect(shard.machine.historyBytes + shard.machine.olderBytes <= 200_000)
        let (first, all) = (shard.follow(alice, .earliest).seen, shard.follow(bob, .earliest).seen)
        #expect(all == Array(1...30) && first.last == 170 && first.first ?? 0 > 1)
        #expect(shard.follow(alice, .after(shard.cursor(alice, 0))).gaps == [(first.first ?? 0) - 1])
        shard.publish(400, to: bob, bytes: 1_000)
        #expect(shard.machine.historyBytes + shard.machine.olderBytes <= 200_000)
        #expect(shard.follow(alice, .earliest).seen.count < first.count)
    }

    @Test func aForgottenMailboxHasNothingBehindIt() throws {
        let alice = try StoredShard.key("alice")
        let shard = Self.shard { $0.idleMilliseconds = 50_000 }
        shard.publish(100, to: alice)
        shard.wait(60_000)
        #expect(shard.machine.olderBytes == 0 && shard.kept(alice) == [])
        shard.publish(2, to: alice)
        #expect(shard.follow(alice, .earliest).seen == [1, 2])
    }

    @Test func whatIsPastItsTimeToLiveIsNoGap() throws {
        let alice = try StoredShard.key("alice")
        let shard = Self.shard(messages: 40)
        shard.publish(30, to: alice, timeToLiveSeconds: 1)
        shard.publish(30, to: alice)
        shard.wait(2_000)
        #expect(shard.follow(alice, .after(shard.cursor(alice, 25))) == .init(31...60))
    }

    // MARK: When it can't be read

    @Test func whatCanNotBeReadIsAGapAndTheRestFollows() throws {
        let alice = try StoredShard.key("alice")
        let shard = Self.shard()
        shard.publish(100, to: alice)
        let records = (shard.store.tables[.contents] ?? [:]).keys.sorted { StoredSlots.comes($0, before: $1) }
        shard.damaged = records.firstIndex { $0 == StoreKey.message(43, inMailbox: StoreKey.mailbox(alice)) }
        try #require(shard.damaged != nil)
        #expect(shard.follow(alice, .earliest) == .init(Array(1...42) + Array(44...100), gaps: [43]))
        #expect(shard.machine.olderReadCounts.damagedReads > 0)
        let page = try #require(shard.page(HistoryQuery(key: alice, since: nil, before: shard.cursor(alice, 50), countMax: 100)))
        #expect(page.gap && page.messages.map(\.sequence).suffix(6) == Array(44...49))
    }

    @Test func aStoreThatHangsHoldsUpNobodyElse() throws {
        let (alice, bob) = (try StoredShard.key("alice"), try StoredShard.key("bob"))
        let shard = Self.shard()
        shard.publish(100, to: alice)
        shard.publish(5, to: bob)
        shard.answers = false
        for id in 100..<100 + UInt64(OlderReads.waitingMax) { shard.ask(id, alice, .earliest) }
        #expect(shard.asked.count == OlderReads.underWayMax && shard.attached.isEmpty)
        shard.ask(5_000, alice, .earliest)
        #expect(shard.problem(5_000) == .retry, "so many wait")
        #expect(shard.follow(bob, .earliest).seen.count == 5)
        #expect(shard.follow(alice, .after(shard.cursor(alice, 95))).seen.count == 5, "memory has it")
        shard.wait(OlderReads.millisecondsMax)
        #expect((100..<100 + UInt64(OlderReads.waitingMax)).allSatisfy { shard.problem($0) == .retry })
        // What was asked of the store is still there: not more than that.
        shard.ask(6_000, alice, .earliest)
        #expect(shard.asked.count == OlderReads.underWayMax && shard.attached[6_000] == nil)
        shard.answers = true
        shard.answer()
        #expect(shard.answer(6_000)?.messages.first?.sequence == 1 && shard.attached[100]?.count == 1)
        #expect(shard.machine.olderReadCounts.refused == UInt64(OlderReads.waitingMax) + 1)
    }

    /// Whoever reads a page asks again before that.
    @Test func aPageWaitsForAStoreForLessTime() throws {
        let alice = try StoredShard.key("alice")
        let shard = Self.shard()
        shard.publish(100, to: alice)
        shard.answers = false
        shard.ask(1, alice, .earliest, .page)
        #expect(shard.asked.count == 1 && shard.attached.isEmpty)
        shard.wait(OlderReads.pageMillisecondsMax)
        #expect(shard.problem(1) == .overloaded && OlderReads.pageMillisecondsMax < HistoryPager.answerMillisecondsMax)
    }

    @Test func whoIsGoneGetsNoAnswer() throws {
        let alice = try StoredShard.key("alice")
        let shard = Self.shard()
        shard.publish(100, to: alice)
        shard.answers = false
        shard.ask(1, alice, .earliest)
        shard.ask(2, alice, .earliest)
        let now = Moment(monotonic: shard.now, wall: 0)
        shard.perform { machine, _ in machine.detach(ReturnAddress(connectionID: 1, id: 1), from: alice, now: now) }
        // The node begins a new life meanwhile.
        shard.perform { $0.begin(as: MemberIdentity(id: "a", boot: 2), lineage: 9, now: now, actions: &$1) }
        #expect(shard.attached[1] == nil && shard.problem(2) == .retry)
        shard.answer()
        #expect(shard.attached[1] == nil && shard.attached[2]?.count == 1)
    }

    @Test func aStoreThatTakesNoMoreIsAskedAgainLater() throws {
        let alice = try StoredShard.key("alice")
        let shard = Self.shard()
        shard.publish(100, to: alice)
        shard.answers = false
        for (id, result) in [(UInt64(1), nil), (2, Result<HistoryPart, StoreDamage>.failure(StoreDamage(slot: 1, reason: "x")))] {
            shard.ask(id, alice, .earliest)
            let (number, now) = (try #require(shard.asked.last?.number), Moment(monotonic: shard.now, wall: 0))
            shard.perform { $0.onRead(number, result, now: now, actions: &$1) }
            #expect(shard.problem(id) == .retry)
        }
    }
}
