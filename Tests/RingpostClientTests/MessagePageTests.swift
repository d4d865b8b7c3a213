// Pages of messages as a node answers them, and where they are asked for.
import Testing

@testable import RingpostClient

@Suite struct MessagePageTests {
    private static let message =
        #"{"seq":42,"cursor":"0123456789abcdef-42","id":"00ff","at":17,"from":{"user":"bob"},"data":{"a": [1, 2]}}"#

    @Test func aPage() throws {
        let page = try #require(
            MessagePage(
                Array(#"{"user":"alice","messages":[\#(Self.message)],"next":"0123456789abcdef-42","more":true,"gap":true,"new":1}"#.utf8)))
        #expect(page.messages.map(\.sequence) == [42] && page.messages[0].from == .user("bob"))
        #expect(String(decoding: page.messages[0].data, as: UTF8.self) == #"{"a": [1, 2]}"#)
        #expect(page.next == "0123456789abcdef-42" && page.hasMore && page.gap)
        let empty = try #require(MessagePage(Array(#"{"channel":"room","messages":[],"next":"0123456789abcdef-0","more":false}"#.utf8)))
        #expect(empty.messages.isEmpty && !empty.hasMore && !empty.gap)
    }

    @Test(arguments: [
        "", "{}", #"{"messages":[]}"#, #"{"next":"0123456789abcdef-0"}"#, #"{"messages":[{"seq":1}],"next":"0123456789abcdef-0"}"#,
        #"{"messages":[{"event":"gap","cursor":"0123456789abcdef-0"}],"next":"0123456789abcdef-0"}"#, #"{"error":{"code":"retry"}}"#,
    ])
    func whatIsNone(text: String) { #expect(MessagePage(Array(text.utf8)) == nil) }

    @Test func whereItIsAskedFor() {
        #expect(OperatorClient.historyPath(user: "a b", since: nil, before: nil, limit: nil) == "/v1/users/a%20b/messages")
        #expect(
            OperatorClient.historyPath(channel: "room", since: "earliest", before: "0123456789abcdef-42", limit: 5)
                == "/v1/channels/room/messages?since=earliest&before=0123456789abcdef-42&limit=5")
    }
}
