// One text for the cursors of several subscriptions.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct ResumePointTests {
    private static func channel(_ name: String) throws -> Key {
        let seed = try #require(SipKey(bytes: [UInt8](0..<16)))
        return try Key(.channel, name: Array(name.utf8), hasher: KeyHasher(seed: seed))
    }

    @Test func aUserAloneIsThePlainCursor() {
        var point = ResumePoint()
        point.user = Cursor(incarnation: 0xAB, sequence: 42)
        #expect(point.text == "00000000000000ab-42")
        #expect(ResumePoint(text: point.text.utf8) == point)
    }

    @Test func channelsAreFoundAgain() throws {
        for hasUser in [true, false] {
            var point = ResumePoint()
            if hasUser { point.user = Cursor(incarnation: 1, sequence: 2) }
            for number in 0..<32 { point[try Self.channel("c\(number)")] = Cursor(incarnation: .max, sequence: UInt64(number)) }
            let read = try #require(ResumePoint(text: point.text.utf8))
            #expect(read == point && read.user == point.user)
            for number in 0..<32 { #expect(read[try Self.channel("c\(number)")]?.sequence == UInt64(number)) }
            #expect(read[try Self.channel("other")] == nil)
        }
    }

    @Test(arguments: [
        "", ".", "x", "00000000000000ab", "00000000000000ab-1.", "00000000000000ab-1.00000000000000ab-1", ".00000000000000ab-",
        ".00000000000000ab-00000000000000ab-1x", ".0000000000000xab-00000000000000ab-1",
        "00000000000000ab-1..00000000000000ab-00000000000000ab-1",
    ])
    func whatIsNoneIsRefused(_ text: String) { #expect(ResumePoint(text: text.utf8) == nil) }

    @Test func tooManyAreRefused() {
        let part = ".00000000000000ab-00000000000000ab-1"
        #expect(ResumePoint(text: String(repeating: part, count: ResumePoint.channelsMax).utf8) != nil)
        #expect(ResumePoint(text: String(repeating: part, count: ResumePoint.channelsMax + 1).utf8) == nil)
    }
}
