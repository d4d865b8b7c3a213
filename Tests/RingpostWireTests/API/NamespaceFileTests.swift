// The file of namespaces: what every member means, and a sentence for whatever is none.
import RingpostCore
import Testing

@testable import RingpostWire

@Suite struct NamespaceFileTests {
    private static func fault(_ text: String) -> String? {
        do throws(NamespaceFault) { _ = try NamespaceFile.read(Array(text.utf8)) } catch { return error.message }
        return nil
    }

    @Test func everyMember() throws {
        let file = """
            {"chat": {"history": {"messages": 0, "bytes": 4096, "seconds": 60}, "ttl": 0, "presence": false, "publish": "tokens",
             "subscribe": "anybody", "rate": 5, "subscribers": 100, "payload": 1024, "channels": 10, "bytes": 1048576}, "bare": {}}
            """
        let table = try NamespaceFile.read(Array(file.utf8))
        var chat = try #require(Namespace(name: Array("chat".utf8)))
        chat.historyMessages = 0
        chat.historyBytes = 4_096
        chat.historySeconds = 60
        chat.timeToLiveSeconds = 0
        chat.allowsPresence = false
        chat.publish = .tokens
        chat.subscribe = .anybody
        chat.messagesPerSecond = 5
        chat.subscribers = 100
        chat.payloadBytes = 1_024
        chat.channels = 10
        chat.bytes = 1_048_576
        let bare = try #require(Namespace(name: Array("bare".utf8)))
        #expect(table.all == [bare, chat])
        #expect(try NamespaceFile.read(Array("\u{FEFF}{}".utf8)).isEmpty)
    }

    @Test(arguments: [
        ("", "valid JSON"), ("[]", "not a JSON object"), ("{\"a\":{}", "valid JSON"),
        ("{\"a\":1}", "\"a\" must be an object with its rules, not 1"),
        ("{\"a\":{},\"\\u0061\":{}}", "stands there twice"), ("{\"a\":{\"ttl\":1,\"ttl\":2}}", "\"ttl\" stands there twice"),
        ("{\"\":{}}", "is no namespace"), ("{\"a:b\":{}}", "\"a:b\" is no namespace"), ("{\"a\\u0000\":{}}", "is no namespace"),
        ("{\"a\":{\"color\":1}}", "\"a\" has \"color\", which is no rule: there are history, ttl"),
        ("{\"a\":{\"history\":{\"size\":1}}}", "\"a\" has \"history.size\", which is no rule: there are messages, bytes, seconds"),
        ("{\"a\":{\"history\":5}}", "\"history\" of \"a\" must be an object"),
        ("{\"a\":{\"history\":{\"messages\":10001}}}", "\"history.messages\" of \"a\" must be a whole number from 0 to 10000, not 10001"),
        ("{\"a\":{\"history\":{\"bytes\":0}}}", "from 1 to"), ("{\"a\":{\"history\":{\"seconds\":0}}}", "from 1 to 2592000"),
        ("{\"a\":{\"ttl\":-1}}", "from 0 to 2592000, not -1"), ("{\"a\":{\"rate\":1.5}}", "not 1.5"),
        ("{\"a\":{\"rate\":\"5\"}}", "not \"5\""),
        ("{\"a\":{\"rate\":0}}", "from 1 to"), ("{\"a\":{\"payload\":99999999}}", "from 1 to 1048576"),
        ("{\"a\":{\"bytes\":1e9}}", "not 1e9"),
        ("{\"a\":{\"channels\":null}}", "not null"), ("{\"a\":{\"presence\":\"no\"}}", "must be true or false, not \"no\""),
        ("{\"a\":{\"publish\":\"all\"}}", "must be \"nobody\", \"tokens\", \"anybody\", not \"all\""),
        ("{\"a\":{\"subscribe\":true}}", "not true"),
    ])
    func whatIsNone(file: String, sentence: String) {
        #expect(Self.fault(file)?.contains(sentence) == true, "\(file): \(Self.fault(file) ?? "taken")")
    }

    @Test func thereIsABound() {
        func file(_ count: Int) -> String { "{" + (0..<count).map { "\"n\($0)\":{}" }.joined(separator: ",") + "}" }
        #expect(Self.fault(file(NamespaceTable.countMax)) == nil)
        #expect(Self.fault(file(NamespaceTable.countMax + 1)) == "it has more than 256 namespaces")
        #expect(Self.fault(String(repeating: " ", count: NamespaceFile.bytesMax) + "{}")?.contains("at most 1048576") == true)
    }
}
