// A page of a history, piece by piece: transcripts, and histories and bounds by chance.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct HistoryPagerTests {
    private static let key = LoneShard.key()

    private static func cursor(_ sequence: UInt64, _ incarnation: UInt64 = 7) -> Cursor {
        Cursor(incarnation: incarnation, sequence: sequence)
    }

    private static func message(_ sequence: UInt64, bytes: Int = 10) -> StoredMessage {
        StoredMessage(sequence: sequence, envelope: Array(repeating: 0x31, count: bytes))
    }

    private static func reply(
        _ from: UInt64, _ sequences: [UInt64], _ through: UInt64, more: Bool = false, gap: Bool = false, bytes: Int = 10,
        of incarnation: UInt64 = 7
    ) -> AttachReply {
        AttachReply(
            incarnation: incarnation, gap: gap, from: from, through: through, messages: sequences.map { message($0, bytes: bytes) },
            isLive: false, hasMore: more)
    }

    private static func page(
        _ sequences: [UInt64], next: UInt64, more: Bool = false, gap: Bool = false, of incarnation: UInt64 = 7
    ) -> HistoryPager.Action {
        .finish(
            HistoryPage(messages: sequences.map { message($0) }, next: cursor(next, incarnation), hasMore: more, gap: gap))
    }

    private static func pager(since: AttachStart? = nil, before: Cursor? = nil, limit: Int = 100) -> HistoryPager {
        HistoryPager(HistoryQuery(key: key, since: since, before: before, countMax: limit), now: 0)
    }

    @Test func forwardsInPieces() {
        var pager = Self.pager(since: .earliest, limit: 5)
        #expect(pager.ask(now: 0) == .ask(.earliest, countMax: 5))
        #expect(pager.onReply(Self.reply(0, [1, 2], 2, more: true), now: 1) == .ask(.after(Self.cursor(2)), countMax: 3))
        #expect(pager.onReply(Self.reply(2, [3, 4, 5], 5, more: true), now: 2) == Self.page([1, 2, 3, 4, 5], next: 5, more: true))
        #expect(pager.onReply(Self.reply(5, [6], 6), now: 3) == .nothing, "an answer that nobody waits for")
        #expect(pager.onTick(now: 9_999) == .nothing)
    }

    @Test func backwardsInPieces() {
        var pager = Self.pager(limit: 4)
        #expect(pager.ask(now: 0) == .ask(.newest, countMax: 4))
        #expect(pager.onReply(Self.reply(7, [8, 9], 9, more: true), now: 1) == .ask(.before(Self.cursor(8)), countMax: 2))
        #expect(pager.onReply(Self.reply(5, [6, 7], 7, more: true), now: 2) == Self.page([6, 7, 8, 9], next: 6, more: true))
        var last = Self.pager(before: Self.cursor(6), limit: 100)
        #expect(last.ask(now: 0) == .ask(.before(Self.cursor(6)), countMax: 100))
        #expect(last.onReply(Self.reply(3, [4, 5], 5, gap: true), now: 1) == Self.page([4, 5], next: 4, gap: true))
    }

    @Test func betweenTwoPlaces() {
        var pager = Self.pager(since: .after(Self.cursor(2)), before: Self.cursor(6))
        #expect(pager.ask(now: 0) == .ask(.after(Self.cursor(2)), countMax: 100))
        #expect(pager.onReply(Self.reply(2, [3, 4], 4, more: true), now: 1) == .ask(.after(Self.cursor(4)), countMax: 98))
        #expect(pager.onReply(Self.reply(4, [5, 6, 7], 7, more: true), now: 1) == Self.page([3, 4, 5], next: 5))
        for (end, next): (UInt64, UInt64) in [(0, 2), (1, 2), (2, 2), (3, 2)] {
            var empty = Self.pager(since: .after(Self.cursor(2)), before: Self.cursor(end))
            _ = empty.ask(now: 0)
            #expect(empty.onReply(Self.reply(2, [3, 4], 4, more: true), now: 1) == Self.page([], next: next), "\(end)")
        }
        var foreign = Self.pager(since: .earliest, before: Self.cursor(3, 8))
        _ = foreign.ask(now: 0)
        #expect(foreign.onReply(Self.reply(0, [1, 2], 2), now: 1) == Self.page([], next: 0, gap: true))
    }

    @Test func aGapBeginsAPage() {
        var first = Self.pager(since: .after(Self.cursor(1)), limit: 3)
        _ = first.ask(now: 0)
        #expect(first.onReply(Self.reply(4, [5, 6], 6, gap: true), now: 1) == Self.page([5, 6], next: 6, gap: true))
        for second in [Self.reply(8, [9], 9, gap: true), Self.reply(0, [1], 1, gap: true, of: 8)] {
            var later = Self.pager(since: .after(Self.cursor(1)), limit: 9)
            _ = later.ask(now: 0)
            _ = later.onReply(Self.reply(1, [2], 2, more: true), now: 1)
            #expect(later.onReply(second, now: 2) == Self.page([2], next: 2, more: true), "the next page is told of it")
        }
        var backwards = Self.pager()
        _ = backwards.ask(now: 0)
        _ = backwards.onReply(Self.reply(7, [8, 9], 9, more: true), now: 1)
        let other = Self.reply(0, [], 0, gap: true, of: 8)
        #expect(backwards.onReply(other, now: 2) == Self.page([8, 9], next: 8, gap: true))
    }

    @Test func aPageHasSoManyBytes() {
        var pager = Self.pager(since: .earliest, limit: 1_000)
        _ = pager.ask(now: 0)
        let half = HistoryQuery.bytesMax / 2
        #expect(pager.onReply(Self.reply(0, [1], 1, more: true, bytes: half), now: 1) == .ask(.after(Self.cursor(1)), countMax: 999))
        guard case .finish(let page) = pager.onReply(Self.reply(1, [2], 2, more: true, bytes: half), now: 2) else {
            return #expect(Bool(false), "it asks for more")
        }
        #expect(page.hasMore && page.messages.count == 2 && page.next == Self.cursor(2))
    }

    @Test func anOwnerThatIsAwayIsAskedAgainForAWhile() {
        var pager = Self.pager()
        #expect(pager.ask(now: 0) == .ask(.newest, countMax: 100))
        #expect(pager.onRefusal(.retry, now: 10) == .nothing)
        #expect(pager.onTick(now: 109) == .nothing)
        #expect(pager.onTick(now: 110) == .ask(.newest, countMax: 100))
        #expect(pager.onTick(now: 809) == .nothing)
        #expect(pager.onTick(now: 810) == .ask(.newest, countMax: 100), "it was silent for too long")
        #expect(pager.onRefusal(.ownerUnreachable, now: 1_900) == .nothing)
        #expect(pager.onTick(now: 2_000) == .refuse(.ownerUnreachable))
        #expect(pager.onTick(now: 2_001) == .nothing)
        for problem: Problem in [.frozen, .noOwner, .overloaded] {
            var other = Self.pager()
            _ = other.ask(now: 0)
            #expect(other.onRefusal(problem, now: 1) == .refuse(problem))
        }
    }

    @Test func whatIsHereIsAPageAllTheSame() {
        var pager = Self.pager()
        _ = pager.ask(now: 0)
        _ = pager.onReply(Self.reply(7, [8, 9], 9, more: true), now: 1)
        _ = pager.onRefusal(.retry, now: 2)
        #expect(pager.onTick(now: 2_000) == Self.page([8, 9], next: 8, more: true))
    }

    @Test func aLimitIsWithinItsBounds() {
        #expect(HistoryQuery(key: Self.key, since: nil, before: nil, countMax: 0).countMax == 1)
        #expect(HistoryQuery(key: Self.key, since: nil, before: nil, countMax: .max).countMax == HistoryQuery.countMax)
    }

    /// What a peer can send must not trap.
    @Test func strangeAnswersDoNoHarm() {
        for since in [nil, AttachStart.earliest] {
            for more in [true, false] {
                var pager = Self.pager(since: since, before: since.map { _ in Self.cursor(.max) })
                _ = pager.ask(now: 0)
                guard case .finish = pager.onReply(Self.reply(.max, [], .max, more: more), now: 1) else {
                    guard case .finish = pager.onReply(Self.reply(.max, [], .max, more: more), now: 2) else {
                        #expect(Bool(false), "it asks for ever")
                        continue
                    }
                    continue
                }
            }
        }
    }

    /// Against a mailbox that changes meanwhile: forwards and backwards, every message that was there all the time comes once.
    @Test func pagesOfAHistoryByChance() {
        var random = SplitMix64(seed: 18)
        for _ in 0..<300 {
            var mailbox = Mailbox(key: Self.key, incarnation: 7)
            func append(_ count: UInt64) {
                for _ in 0..<count {
                    mailbox.appended += 1
                    mailbox.committed = mailbox.appended
                    mailbox.history.append(Self.message(mailbox.appended, bytes: 1 + Int(mailbox.appended % 9)))
                }
            }
            append(1 + random.next() % 40)
            let first = mailbox.appended
            let isBackwards = random.next() % 2 == 0
            var (seen, place): ([UInt64], Cursor?) = ([], nil)
            for _ in 0..<200 {
                let limit = 1 + Int(random.next() % 12)
                var pager = Self.pager(
                    since: isBackwards ? nil : place.map(AttachStart.after) ?? .earliest, before: isBackwards ? place : nil, limit: limit)
                var action = pager.ask(now: 0)
                while case .ask(let start, let count) = action {
                    let bytes = 1 + Int(random.next() % 40)
                    action = pager.onReply(mailbox.page(from: start, countMax: Int(count), now: 0, bytesMax: bytes), now: 0)
                    if random.next() % 4 == 0 { append(1) }
                }
                guard case .finish(let page) = action else { return #expect(Bool(false), "\(action)") }
                #expect(page.messages.count <= limit && !page.gap)
                let sequences = page.messages.map(\.sequence)
                seen = isBackwards ? sequences + seen : seen + sequences
                place = page.next
                if !page.hasMore { break }
            }
            #expect(seen == Array(1...(seen.last ?? 0)))
            #expect((seen.last ?? 0) >= first)
        }
    }
}
