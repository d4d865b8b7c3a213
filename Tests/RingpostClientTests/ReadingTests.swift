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

@Suite struct ReplayPlanTests {
    private static let log = """
        {"at": "2004-12-25T09:14", "from": "ann", "to": "bob", "text": "bob: hi"}
        {"at": "2004-12-25T09:14", "from": "ann", "to": null, "text": "anyone?"}
        {"at": "2004-12-25T09:14", "from": "carl", "to": "|Qu`aD [1]\\u00e9", "text": "so \\"quoted\\""}
        no json
        {"at": "2004-12-25T09:16", "from": "carl", "to": "bob", "text": "x"}
        {"at": "2004-12-25T09:10", "from": "carl", "to": "dora", "text": "x"}

        """

    private static func plan(users: Int = 10, messages: Int = .max, speed: Double = 0) -> ReplayPlan {
        Array(log.utf8).withUnsafeBytes { ReplayPlan($0, userMax: users, messageMax: messages, speed: speed) }
    }

    @Test func choosesTheMostAddressed() {
        let plan = Self.plan()
        #expect(plan.users == ["bob", "dora", "|Qu`aD [1]é"])
        #expect(plan.messages.map(\.recipient) == [0, 2, 0, 1])
        #expect([plan.lines, plan.undirected, plan.malformed, plan.others] == [6, 1, 1, 0])
    }

    @Test func whatAddressesNobodyGoesToAChannelOfItsDay() {
        let plan = Array(Self.log.utf8).withUnsafeBytes {
            ReplayPlan($0, userMax: 10, messageMax: .max, speed: 60, withChannels: true)
        }
        #expect(plan.channels == ["day:2004-12-25"] && plan.calls.map(\.recipient) == [0])
        #expect(plan.subscribers == [[0, 1, 2]], "carl and ann are addressed by nobody")
        #expect(plan.messages.count == 4)
        let few = Array(Self.log.utf8).withUnsafeBytes { ReplayPlan($0, userMax: 10, messageMax: 2, speed: 0, withChannels: true) }
        #expect(few.messages.count == 2 && few.calls.count == 1)
    }

    @Test func limits() {
        #expect(Self.plan(users: 1).messages.count == 2)
        #expect(Self.plan(users: 1).others == 2)
        #expect(Self.plan(messages: 2).messages.map(\.recipient) == [0, 2])
    }

    @Test func stampsBecomeMoments() {
        // Two in the first minute are spread over it; two minutes of silence at 60 times the speed are cut to one second;
        // a step back takes no time.
        #expect(Self.plan(speed: 60).messages.map(\.dueMilliseconds) == [0, 500, 1_500, 1_500])
        #expect(Self.plan(speed: 600).messages.map(\.dueMilliseconds) == [0, 50, 200, 200])
        #expect(Self.plan(speed: 0).messages.map(\.dueMilliseconds) == [0, 0, 0, 0])
    }

    @Test func minutes() {
        func minutes(_ stamp: String) -> Int? { Array("\"\(stamp)\"".utf8).withUnsafeBytes { ChatLine.minutes($0, 0..<$0.count) } }
        #expect(minutes("1970-01-01T00:00") == 0)
        #expect(minutes("2004-02-29T12:34") == 17_967_634)
        #expect(minutes("2004-03-01T00:00:59") == 17_968_320)
        #expect(minutes("2004-13-01T00:00") == nil)
        #expect(minutes("yesterday at noon") == nil)
    }
}
