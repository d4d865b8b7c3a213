// Pages of one mailbox, forwards and backwards: what they hold, where they end, and what they say of messages that are not kept.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct MailboxPageTests {
    private static let incarnation: UInt64 = 7

    /// A mailbox with so many messages of ten bytes.
    private static func mailbox(_ count: UInt64, committed: UInt64? = nil, expired: Set<UInt64> = []) -> Mailbox {
        var mailbox = Mailbox(key: LoneShard.key(), incarnation: incarnation)
        for sequence in 1...max(1, count) where count > 0 {
            let message = StoredMessage(
                sequence: sequence, envelope: Array(repeating: 0x31, count: 10), expiresAt: expired.contains(sequence) ? 5 : .max)
            mailbox.history.append(message)
            mailbox.historyBytes += 10
        }
        mailbox.appended = count
        mailbox.committed = committed ?? count
        return mailbox
    }

    /// In one line: gap, from, sequence numbers, through, more.
    private static func page(
        _ mailbox: Mailbox, _ start: AttachStart, count: Int = 100, bytes: Int = 1_000, now: Int64 = 10
    ) -> String {
        let reply = mailbox.page(from: start, countMax: count, now: now, bytesMax: bytes)
        #expect(!reply.isLive && reply.incarnation == incarnation)
        let words =
            (reply.gap ? ["gap"] : []) + ["\(reply.from)…\(reply.through):"] + reply.messages.map { "#\($0.sequence)" }
            + (reply.hasMore ? ["more"] : [])
        return words.joined(separator: " ")
    }

    private static func after(_ sequence: UInt64) -> AttachStart { .after(Cursor(incarnation: incarnation, sequence: sequence)) }
    private static func before(_ sequence: UInt64) -> AttachStart { .before(Cursor(incarnation: incarnation, sequence: sequence)) }

    @Test func forwards() {
        let mailbox = Self.mailbox(5)
        #expect(Self.page(mailbox, .earliest) == "0…5: #1 #2 #3 #4 #5")
        #expect(Self.page(mailbox, .earliest, count: 2) == "0…2: #1 #2 more")
        #expect(Self.page(mailbox, Self.after(2), count: 2) == "2…4: #3 #4 more")
        #expect(Self.page(mailbox, Self.after(4), count: 1) == "4…5: #5")
        #expect(Self.page(mailbox, Self.after(5)) == "5…5:")
        #expect(Self.page(mailbox, Self.after(9)) == "gap 5…5:", "a place that was never given")
        #expect(Self.page(mailbox, .after(Cursor(incarnation: 8, sequence: 2))) == "gap 0…5: #1 #2 #3 #4 #5")
        #expect(Self.page(mailbox, .earliest, bytes: 25) == "0…2: #1 #2 more")
        #expect(Self.page(mailbox, .earliest, bytes: 1) == "0…1: #1 more", "one always fits")
    }

    @Test func backwards() {
        let mailbox = Self.mailbox(5)
        #expect(Self.page(mailbox, .newest) == "0…5: #1 #2 #3 #4 #5")
        #expect(Self.page(mailbox, .newest, count: 2) == "3…5: #4 #5 more")
        #expect(Self.page(mailbox, Self.before(4), count: 2) == "1…3: #2 #3 more")
        #expect(Self.page(mailbox, Self.before(2)) == "0…1: #1")
        #expect(Self.page(mailbox, Self.before(1)) == "0…0:")
        #expect(Self.page(mailbox, Self.before(0)) == "0…0:")
        #expect(Self.page(mailbox, Self.before(.max), count: 1) == "4…5: #5 more")
        #expect(Self.page(mailbox, .before(Cursor(incarnation: 8, sequence: 4))) == "gap 0…0:")
        #expect(Self.page(mailbox, .newest, bytes: 25) == "3…5: #4 #5 more")
        #expect(Self.page(mailbox, .newest, bytes: 1) == "4…5: #5 more")
    }

    @Test func onlyWhatIsCommitted() {
        let mailbox = Self.mailbox(5, committed: 3)
        #expect(Self.page(mailbox, .earliest) == "0…3: #1 #2 #3")
        #expect(Self.page(mailbox, .newest, count: 2) == "1…3: #2 #3 more")
        #expect(Self.page(mailbox, Self.before(5), count: 1) == "2…3: #3 more")
        #expect(Self.page(Self.mailbox(2, committed: 0), .newest) == "0…0:")
        #expect(Self.page(Self.mailbox(2, committed: 0), .earliest) == "0…0:")
    }

    @Test func whatIsNotKeptIsSaid() {
        var mailbox = Self.mailbox(5)
        for _ in 0..<2 { _ = mailbox.dropOldest(now: 10) }
        #expect(Self.page(mailbox, Self.after(1)) == "gap 2…5: #3 #4 #5")
        #expect(Self.page(mailbox, Self.after(2)) == "2…5: #3 #4 #5")
        #expect(Self.page(mailbox, .earliest) == "2…5: #3 #4 #5")
        #expect(Self.page(mailbox, .newest, count: 2) == "3…5: #4 #5 more")
        #expect(Self.page(mailbox, Self.before(4)) == "gap 2…3: #3")
        #expect(Self.page(mailbox, Self.before(3)) == "gap 2…2:")
        #expect(Self.page(mailbox, Self.before(2)) == "gap 1…1:")
        #expect(Self.page(mailbox, Self.before(1)) == "0…0:", "before the first there was nothing")
        #expect(Self.page(Self.mailbox(0), .newest) == "0…0:")
        #expect(Self.page(Self.mailbox(0), .earliest) == "0…0:")
    }

    @Test func whatHasExpiredIsPassedOver() {
        let mailbox = Self.mailbox(6, expired: [1, 3, 4, 6])
        #expect(Self.page(mailbox, .earliest, count: 1) == "0…2: #2 more")
        #expect(Self.page(mailbox, Self.after(2), count: 1) == "2…5: #5 more")
        #expect(Self.page(mailbox, Self.after(5), count: 1) == "5…6:")
        #expect(Self.page(mailbox, .newest, count: 1) == "4…6: #5 more")
        #expect(Self.page(mailbox, Self.before(5), count: 1) == "1…4: #2 more")
        #expect(Self.page(mailbox, Self.before(2), count: 1) == "0…1:")
        #expect(Self.page(mailbox, .newest, now: 1) == "0…6: #1 #2 #3 #4 #5 #6")
    }

    /// Both ways come to all messages once, however large the pages are.
    @Test func pagesMeetWithoutLossOrRepeat() {
        for count in 1...7 {
            let mailbox = Self.mailbox(20, expired: [3, 4, 20])
            let expected = Array(UInt64(1)...20).filter { ![3, 4, 20].contains($0) }
            var (forwards, backwards): ([UInt64], [UInt64]) = ([], [])
            var start = AttachStart.earliest
            for _ in 0..<40 {
                let reply = mailbox.page(from: start, countMax: count, now: 10, bytesMax: 35)
                forwards += reply.messages.map(\.sequence)
                start = Self.after(reply.through)
                if !reply.hasMore { break }
            }
            start = .newest
            for _ in 0..<40 {
                let reply = mailbox.page(from: start, countMax: count, now: 10, bytesMax: 35)
                backwards = reply.messages.map(\.sequence) + backwards
                start = Self.before(reply.from + 1)
                if !reply.hasMore { break }
            }
            #expect(forwards == expected && backwards == expected, "\(count)")
        }
    }

    @Test func aPageLooksAtSoMany() {
        let mailbox = Self.mailbox(UInt64(Mailbox.pageLooksMax) + 10, expired: Set(1...UInt64(Mailbox.pageLooksMax)))
        #expect(Self.page(mailbox, .earliest) == "0…\(Mailbox.pageLooksMax): more")
        #expect(Self.page(mailbox, Self.before(UInt64(Mailbox.pageLooksMax) + 1)) == "0…\(Mailbox.pageLooksMax):")
    }
}
