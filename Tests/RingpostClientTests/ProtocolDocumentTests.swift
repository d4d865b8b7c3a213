// What docs/protocol shows of nodes' words, read by the library that ships: the examples are what a client meets.
import RingpostCore
import TestSupport
import Testing

@testable import RingpostClient

@Suite struct ProtocolDocumentTests {
    /// Events that call for nothing from a subscriber that publishes nothing.
    private static let passedOver = ["\"event\":\"unsubscribed\"", "\"event\":\"renewed\"", "\"event\":\"receipt\""]

    @Test func whatNodesSayIsRead() throws {
        let lines = try Documents.lines("docs/protocol/clients.md", "json", "node")
        var polls = 0
        for line in lines {
            let bytes = Array(line.utf8)
            if line.contains("\"messages\":") {
                polls += 1
                #expect(bytes.withUnsafeBytes { PollAnswer($0) } != nil, "\(line)")
            } else {
                let item = bytes.withUnsafeBytes { StreamItem.read($0) }
                #expect(item != nil, "\(line)")
                #expect((item == .other) == Self.passedOver.contains { line.contains($0) }, "\(line)")
            }
        }
        #expect(polls >= 3 && lines.count - polls >= 15)
    }

    @Test func pagesOfMessagesAreRead() throws {
        let lines = try Documents.lines("docs/protocol/clients.md", "json", "page")
        #expect(lines.count == 2)
        let pages = try lines.map { try #require(MessagePage(Array($0.utf8)), "\($0)") }
        #expect(pages.map(\.messages.count) == [2, 0] && pages.map(\.hasMore) == [true, false] && pages.map(\.gap) == [false, true])
        // Read backwards, the next page is before the first message of this one.
        #expect(pages[0].next == pages[0].messages.first?.cursor)
    }
}
