// What is read from bytes: JSON parts, messages, polls, addresses, chat logs.
import Testing

@testable import RingpostClient

@Suite struct JSONReaderTests {
    private static func members(_ json: String) -> [String] {
        Array(json.utf8).withUnsafeBytes { bytes in
            var reader = JSONReader(bytes)
            var members: [String] = []
            while let (name, value) = reader.nextMember() {
                members.append(String(decoding: bytes[name], as: UTF8.self) + "=" + String(decoding: bytes[value], as: UTF8.self))
            }
            return members
        }
    }

    @Test func members() {
        #expect(
            Self.members(#"{"a":1,"b":"x\",}","c":{"d":[1,{"e":"]"}]},"f":null}"#) == [
                "a=1", #"b="x\",}""#, #"c={"d":[1,{"e":"]"}]}"#, "f=null",
            ])
        #expect(Self.members("\n { \"a\" : [ ] , \"b\":true } ") == ["a=[ ]", "b=true"])
        #expect(Self.members("{}") == [])
    }

    @Test(arguments: ["", "[1]", #"{"a"}"#, #"{"a":"#, #"{"a":"x"#, #"{"a":{"b":1"#, #"{1:2}"#, "\\", #"{"a":"\"#])
    func brokenTextsEndEarly(_ json: String) { #expect(Self.members(json) == []) }

    @Test func texts() {
        func text(_ json: String) -> String? { Array(json.utf8).withUnsafeBytes { $0.text(at: 0..<$0.count) } }
        #expect(text(#""a\n\t\"\\\/\u00e9\ud83d\ude00ü""#) == "a\n\t\"\\/é😀ü")
        #expect(text(#""\ud83d!""#) == "\u{FFFD}!")
        #expect(text(#""\ud83d\u0041""#) == "\u{FFFD}A")
        #expect(text("\"\\ude00\"") == "\u{FFFD}")
        for broken in [#""\x""#, #""\u12""#, #""\"#, "a", "\"", ""] { #expect(text(broken) == nil, "\(broken)") }
    }

    @Test func numbers() {
        func number(_ text: String) -> UInt64? { Array(text.utf8).withUnsafeBytes { $0.unsigned(at: 0..<$0.count) } }
        #expect(number("18446744073709551615") == .max)
        for broken in ["18446744073709551616", "-1", "1.0", "", "1e3"] { #expect(number(broken) == nil, "\(broken)") }
    }
}

@Suite struct StreamItemTests {
    private static func read(_ json: String) -> StreamItem? { Array(json.utf8).withUnsafeBytes { StreamItem.read($0) } }

    @Test func messagesKeepTheirPayloadAsItIs() {
        let item = Self.read(#"{"seq":42,"cursor":"0123456789abcdef-42","id":"00ff","at":17,"data":{"a": [1, 2]},"new":1}"#)
        let message = Message(sequence: 42, cursor: "0123456789abcdef-42", id: "00ff", at: 17, data: Array(#"{"a": [1, 2]}"#.utf8))
        #expect(item == .message(message))
        #expect(message.text == nil)
        #expect(Message(sequence: 1, cursor: "", id: "", at: 0, data: Array(#""h\u0069""#.utf8)).text == "hi")
    }

    @Test func messagesNameTheirSenders() {
        func from(_ member: String) -> Message.Sender? {
            guard case .message(let message) = Self.read(#"{"seq":1,"cursor":"a-1","id":"00",\#(member)"data":{"from":{"user":"x"}}}"#)
            else { return nil }
            return message.from
        }
        #expect(from(#""from":{"user":"al\"ice"},"#) == .user("al\"ice") && from(#""from":{"key":"k"},"#) == .key("k"))
        #expect(from("") == nil && from(#""from":{"other":1},"#) == nil && from(#""from":"alice","#) == nil)
    }

    @Test func events() {
        #expect(Self.read(#"{"event":"attached","cursor":"c-1"}"#) == .attached(cursor: "c-1"))
        #expect(Self.read(#"{"event":"gap","cursor":"c-2"}"#) == .gap(cursor: "c-2"))
        #expect(Self.read(#"{"event":"other","cursor":"c-2"}"#) == .other)
        #expect(Self.read(#"{"event":"expiring","expires":1795230219428}"#) == .expiring(at: 1_795_230_219_428))
        #expect(Self.read(#"{"event":"renewed","expires":1795230219428}"#) == .other)
        #expect(Self.read(#"{"seq":1}"#) == nil)
        #expect(Self.read("nonsense") == nil)
    }

    @Test func closes() {
        func read(_ json: String) -> StreamItem { Array(json.utf8).withUnsafeBytes { StreamItem.readClose($0) } }
        #expect(read(#"{"code":"idle","advice":"resume"}"#) == .closing(Disconnect("idle")))
        #expect(read(#"{"code":"x","advice":"stop"}"#) == .closing(Disconnect("x", final: .stopped("x"))))
        var leave = Disconnect("going_away", wishMilliseconds: 1_200)
        leave.at = [Endpoint(host: "b", port: 1), Endpoint(host: "c", port: 2)]
        #expect(read(#"{"code":"going_away","advice":"resume","after":1200,"at":"b:1,c:2"}"#) == .closing(leave))
        var later = Disconnect("try_later", wishMilliseconds: 2_500)
        later.isAppointment = true
        #expect(read(#"{"code":"try_later","advice":"resume","after":2500,"more":{}}"#) == .closing(later))
        later.reason = "too_fast: slow down"
        let refused = #"{"code":"try_later","advice":"resume","after":2500,"error":{"code":"too_fast","message":"slow down"}}"#
        #expect(read(refused) == .closing(later))
    }

    @Test func polls() throws {
        func read(_ json: String) -> PollAnswer? { Array(json.utf8).withUnsafeBytes(PollAnswer.init) }
        let message = #"{"seq":7,"cursor":"00000000000000aa-7","id":"x","at":1,"data":"t"}"#
        let answer = try #require(read(#"{"cursor":"00000000000000aa-7","messages":[\#(message)],"gap":true}"#))
        #expect(answer.messages.map(\.sequence) == [7])
        #expect(answer.gap)
        #expect(
            answer.items(isFirst: true) == [
                .resume("00000000000000aa-7"), .gap(cursor: "00000000000000aa-6"), .message(answer.messages[0]),
            ])
        let empty = try #require(read(#"{"cursor":"00000000000000aa-7","messages":[]}"#))
        #expect(empty.items(isFirst: true) == [.resume("00000000000000aa-7"), .attached(cursor: "00000000000000aa-7")])
        #expect(empty.items(isFirst: false) == [.resume("00000000000000aa-7")])
        #expect(!empty.gap)
        #expect(empty.leave == nil)
        var leave = Disconnect("going_away", wishMilliseconds: 120)
        leave.at = [Endpoint(host: "b", port: 1)]
        let last = try #require(read(#"{"cursor":"00000000000000aa-7","messages":[],"retryAfterMilliseconds":120,"at":"b:1"}"#))
        #expect(last.leave == leave)
        #expect(read(#"{"messages":[]}"#) == nil)
        #expect(read(#"{"cursor":"c","messages":[{"seq":1}]}"#) == nil)
    }

    /// Whoever hears a channel's message before its gap takes what is missing for delivered.
    @Test func aPollTellsAChannelsGapBeforeItsMessages() throws {
        let messages = (1...2).map { #"{"channel":"c","seq":\#($0),"cursor":"00000000000000bb-\#($0)","id":"x","at":1,"data":"t"}"# }
        let json = #"{"cursor":"end","gaps":["c","quiet"],"messages":[\#(messages.joined(separator: ","))]}"#
        let answer = try #require(Array(json.utf8).withUnsafeBytes(PollAnswer.init))
        #expect(
            answer.items(isFirst: false) == [
                .resume("end"), .channelGap(channel: "c", cursor: "00000000000000bb-0"), .channelGap(channel: "quiet", cursor: "end"),
                .message(answer.messages[0]), .message(answer.messages[1]),
            ])
    }
}

@Suite struct EndpointTests {
    @Test func addresses() throws {
        #expect(try Endpoint("http://10.0.0.1:8080/") == Endpoint(host: "10.0.0.1", port: 8080))
        #expect(try Endpoint("node-1:9").url == "http://node-1:9")
        #expect(try Endpoint("http://[::1]:80").host == "::1")
        #expect(try Endpoint("[::1]:80").description == "[::1]:80")
        #expect(try Endpoint("https://node-1:9/") == Endpoint(host: "node-1", port: 9, isTLS: true))
        #expect(try Endpoint("wss://[::1]:9").url == "https://[::1]:9")
        #expect(try Endpoint("ws://a:9") == Endpoint("http://a:9"))
        #expect(try Endpoint("http://a:9") != Endpoint("https://a:9"))
    }

    @Test func whoIsNamedSpeaksAsTheNamerDoes() throws {
        #expect(try Endpoint("b:9").named(by: Endpoint("https://a:8")) == Endpoint("https://b:9"))
        #expect(try Endpoint("b:9").named(by: Endpoint("http://a:8")) == Endpoint("http://b:9"))
        #expect(try Endpoint("http://b:9").named(by: Endpoint("https://a:8")).isTLS, "never from TLS to none")
    }

    @Test(arguments: [
        "", "host", "http://host", "https://host", "ftp://h:1", "h:0", "h:65536", "h:x", "http://h:1/path", "::1:80", ":80", "u@h:1",
    ])
    func rejects(_ text: String) { #expect(throws: EndpointError(text: text)) { try Endpoint(text) } }

    @Test func percentEncoding() {
        #expect("alice-1._~".percentEncoded == "alice-1._~")
        #expect("a b/ü|`[]&=+%".percentEncoded == "a%20b%2F%C3%BC%7C%60%5B%5D%26%3D%2B%25")
    }
}
