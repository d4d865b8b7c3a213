// One line of a batch: {"user":"alice","data":…,"idempotencyKey":"…","ttl":60}, or with "channel" in place of "user". The data travels as the bytes that the
// producer wrote, so the line is not decoded as a whole; only its outermost object is taken apart.
import FoundationEssentials
import HashRing
import RingpostCore
import RingpostWire

struct BatchLine {
    let request: PublishRequest

    init(_ line: [UInt8], hasher: KeyHasher, payloadBytesMax: Int) throws(ProblemReport) {
        guard JSONText.isValid(line) else { throw ProblemReport(.badJSON, "this is not valid JSON") }
        guard let members = Self.members(of: line) else { throw ProblemReport(.badJSON, "this is not a JSON object") }
        let (kind, name) = try Self.target(members, line)
        guard let data = members["data"].map({ Array(line[$0]) }) else { throw ProblemReport(.badParameter, "\"data\" is missing") }
        if data.count > payloadBytesMax {
            throw ProblemReport(.tooLarge, "the payload has \(data.count) bytes; at most \(payloadBytesMax) are taken")
        }
        var idempotencyKey = ""
        if let range = members["idempotencyKey"] {
            guard let text = Self.decode(String.self, line[range]) else {
                throw ProblemReport(.badParameter, "\"idempotencyKey\" must be a string")
            }
            idempotencyKey = text
        }
        var timeToLive: UInt32?
        if let range = members["ttl"] { timeToLive = try ProducerRoutes.timeToLive(String(decoding: line[range], as: UTF8.self)) }
        do throws(NameError) {
            let key = try Key(kind, name: Array(name.utf8), hasher: hasher)
            request = PublishRequest(
                key: key, data: JSONText.compactLineBreaks(data), idempotencyKey: Array(idempotencyKey.utf8), timeToLive: timeToLive)
        } catch {
            throw ProblemReport(.badName, error.message)
        }
    }

    private static func target(_ members: [String: Range<Int>], _ line: [UInt8]) throws(ProblemReport) -> (KeyKind, String) {
        switch (members["user"], members["channel"]) {
        case (let user?, nil):
            if let name = decode(String.self, line[user]) { return (.user, name) }
            throw ProblemReport(.badName, "\"user\" must be a string")
        case (nil, let channel?):
            if let name = decode(String.self, line[channel]) { return (.channel, name) }
            throw ProblemReport(.badName, "\"channel\" must be a string")
        default: throw ProblemReport(.badName, "say for whom: \"user\" or \"channel\", a string")
        }
    }

    private static func decode<Value: Decodable>(_ type: Value.Type, _ bytes: ArraySlice<UInt8>) -> Value? {
        try? JSONDecoder().decode(type, from: Data(bytes))
    }

    /// Where the values of the outermost object stand. The text is known to be valid JSON; `nil` when it is no object.
    private static func members(of json: [UInt8]) -> [String: Range<Int>]? {
        var place = 0
        func skipSpace() { while place < json.count, json[place] <= 0x20 { place += 1 } }
        func skipString() {
            place += 1
            while json[place] != UInt8(ascii: "\"") { place += json[place] == UInt8(ascii: "\\") ? 2 : 1 }
            place += 1
        }
        func skipValue() {
            var depth = 0
            repeat {
                switch json[place] {
                case UInt8(ascii: "\""):
                    skipString()
                    continue
                case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
                case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
                default: break
                }
                place += 1
            } while depth > 0 || ![UInt8(ascii: ","), UInt8(ascii: "}")].contains(json[place])
        }
        skipSpace()
        guard json[place] == UInt8(ascii: "{") else { return nil }
        place += 1
        var members: [String: Range<Int>] = [:]
        skipSpace()
        while json[place] != UInt8(ascii: "}") {
            let nameStart = place
            skipString()
            let name = decode(String.self, json[nameStart..<place]) ?? ""
            skipSpace()
            place += 1  // the colon
            skipSpace()
            let start = place
            skipValue()
            var end = place
            while json[end - 1] <= 0x20 { end -= 1 }
            if members[name] == nil { members[name] = start..<end }
            if json[place] == UInt8(ascii: ",") {
                place += 1
                skipSpace()
            }
        }
        return members
    }
}
