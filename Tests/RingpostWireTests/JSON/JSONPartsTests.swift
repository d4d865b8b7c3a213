// JSON taken apart and strings decoded, held against the decoder of Foundation, which does it in another way.
import Foundation
import HashRing
import NIOCore
import RingpostWire
import Testing

@Suite struct JSONPartsTests {
    @Test(arguments: [
        (#""""#, ""), (#""a\"\\\/\b\f\n\r\t""#, "a\"\\/\u{8}\u{c}\n\r\t"), (#""\u00e9\u0000\uD83D\uDC4B""#, "é\u{0}👋"),
        ("\"grüße 👋\"", "grüße 👋"),
    ])
    func strings(json: String, text: String) {
        #expect(JSONText.string(Array(json.utf8)[...]).map { Array($0.utf8) } == Array(text.utf8))
    }

    @Test(arguments: [
        #""\uD800""#, #""\uDC00""#, #""\uD83D\uD83D""#, #""\uD83D \uDC4B""#, #""\uD83D\n""#, "1", "null", #"["a"]"#, "", "\"", #""\"#,
        #""\""#,
    ])
    func whatIsNoText(json: String) {
        #expect(JSONText.string(Array(json.utf8)[...]) == nil)
    }

    @Test func objects() throws {
        let json = Array(#" { "a" : {"b":[1,"}"]} ,"d\u0061ta":" \" ", "":[ ], "\ud800":0} "#.utf8)
        let object = try JSONObject(json)
        #expect(object.count == 4)
        #expect(object["a"].map { String(decoding: $0, as: UTF8.self) } == #"{"b":[1,"}"]}"#)
        #expect(object["data"].map { String(decoding: $0, as: UTF8.self) } == #"" \" ""#)
        #expect(object[""].map { String(decoding: $0, as: UTF8.self) } == "[ ]")
        #expect(object["b"] == nil)
        #expect(object.names == nil)
        #expect(try JSONObject(Array("{}".utf8)).count == 0)
        #expect(throws: JSONFault.notAnObject) { try JSONObject(Array("[]".utf8)) }
        func members(_ count: Int) -> JSONObject? {
            try? JSONObject(Array("{\((0..<count).map { "\"\($0)\":0" }.joined(separator: ","))}".utf8))
        }
        #expect(members(JSONObject.countMax)?.count == JSONObject.countMax && members(JSONObject.countMax + 1) == nil)
    }

    /// Two programs would read such a text in two ways.
    @Test(arguments: [
        (#"{"a":1,"a":2}"#, "a"), (#"{"a":1,"b":2,"a":1}"#, "a"), (#"{"a":1,"\u0061":2}"#, #"\u0061"#), (#"{"":1,"":2}"#, ""),
        (#"{"\ud800":1,"\ud800":2}"#, #"\ud800"#), (#"{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"e":0}"#, "e"),
    ])
    func aMemberTwiceIsRefused(json: String, name: String) {
        #expect(throws: JSONFault.repeatedMember(name)) { try JSONObject(Array(json.utf8)) }
        #expect(throws: JSONFault.repeatedMember(name)) { try JSONText.check(document: Array("[0,{\"x\":[\(json)]}]".utf8)) }
    }

    @Test func documentsAreCheckedAsAWhole() throws {
        try JSONText.check(document: Array(#" {"a":{"a":1},"b":[{"a":1},{"a":2}],"A":"{\"a\":1,\"a\":2}"} "#.utf8))
        #expect(throws: JSONFault.malformed) { try JSONText.check(document: Array("{".utf8)) }
        #expect(throws: JSONFault.malformed) { try JSONText.check(document: JSONText.byteOrderMark + Array("{}".utf8)) }
        let deep = Array(String(repeating: "[", count: 65).utf8) + Array(String(repeating: "]", count: 65).utf8)
        #expect(throws: JSONFault.tooDeep) { try JSONText.check(document: deep) }
    }

    @Test func aByteOrderMarkIsPassedOver() {
        #expect(Array(JSONText.withoutByteOrderMark(JSONText.byteOrderMark + [0x31])) == [0x31])
        #expect(Array(JSONText.withoutByteOrderMark([0x31] + JSONText.byteOrderMark)) == [0x31] + JSONText.byteOrderMark)
        #expect(
            Array(JSONText.withoutByteOrderMark(JSONText.byteOrderMark + JSONText.byteOrderMark)) == JSONText.byteOrderMark, "one of them")
    }

    /// Swift's texts are equal when they look the same; a name is another one with the sign for kelvins in the place of a K.
    @Test func namesAreComparedAsBytes() throws {
        let object = try JSONObject(Array(#"{"\u212Ae":1}"#.utf8))
        #expect("\u{212A}e" == "Ke" && object["Ke"] == nil)
    }

    @Test func arrays() {
        func elements(_ json: String) -> [String]? {
            JSONArray.elements(of: Array(json.utf8)[...], countMax: 4)?.map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(elements(" [ ] ") == [])
        #expect(elements(#"[1 , "a,]" ,[2,{"b":3}],{}]"#) == ["1", #""a,]""#, #"[2,{"b":3}]"#, "{}"])
        #expect(elements("{}") == nil)
        #expect(elements("[1,2,3,4,5]")?.count == 5)
        #expect(elements("[1,2,3,4,5,6,7]") == ["1", "2", "3", "4", "5"], "one more than are wanted says that there are more")
    }

    /// Damaged texts that are still valid say the same as they do to Foundation.
    @Test func foundationAgrees() throws {
        let texts = [
            #"["a\u0062\n", {"channel":"b\ud83d\udc4b","since":"x\"","presence":true}, {"channel" : "\/c"}]"#,
            #"[{"since":null, "channel":"grüße","presence":false, "more":[{"channel":"d"}, 1.5e3]}, ""]"#,
        ].map { Array($0.utf8) }
        let hasher = KeyHasher(seed: try #require(SipKey(bytes: [UInt8](repeating: 7, count: 16))))
        var agreed = 0
        for seed in 0..<20_000 as Range<UInt64> {
            var generator = SplitMix64(seed: seed)
            let list = mutated(texts[Int(seed % 2)], using: &generator)
            guard JSONText.isValid(list) else { continue }
            // Foundation takes a member that stands twice.
            if (try? JSONText.check(document: list)) == nil { continue }
            let theirs = try? JSONDecoder().decode([Wish].self, from: Data(list))
            var ours: [Wish]?
            let command = Array("{\"subscribe\":".utf8) + list + Array("}".utf8)
            if case .subscribe(let wishes)? = try? ClientCommand(ByteBuffer(bytes: command), hasher: hasher, payloadBytesMax: 100) {
                ours = wishes.map { Wish(channel: $0.channel, since: $0.since, presence: $0.presence) }
            }
            #expect(ours == theirs, "seed \(seed): \(String(decoding: list, as: UTF8.self))")
            if theirs != nil { agreed += 1 }
        }
        #expect(agreed > 1_000)
    }
}

/// A subscription as Foundation reads it.
private struct Wish: Decodable, Equatable {
    let channel: String
    let since: String?
    let presence: Bool

    private enum CodingKeys: CodingKey { case channel, since, presence }

    init(channel: String, since: String?, presence: Bool) {
        self.channel = channel
        self.since = since
        self.presence = presence
    }

    init(from decoder: any Decoder) throws {
        if let name = try? decoder.singleValueContainer().decode(String.self) {
            self.init(channel: name, since: nil, presence: false)
            return
        }
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            channel: try container.decode(String.self, forKey: .channel), since: try container.decodeIfPresent(String.self, forKey: .since),
            presence: try container.decodeIfPresent(Bool.self, forKey: .presence) ?? false)
    }
}
