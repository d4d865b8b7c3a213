// The outermost object of a JSON text, taken apart without decoding what is in it: a payload travels as the bytes that it is.
import FoundationEssentials

enum JSONObject {
    /// A JSON string's text; `nil` when it is none.
    static func string(_ json: ArraySlice<UInt8>) -> String? { try? JSONDecoder().decode(String.self, from: Data(json)) }

    /// Where the values of the outermost object stand. The text is known to be valid JSON; `nil` when it is no object.
    static func members(of json: [UInt8]) -> [String: Range<Int>]? {
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
            let name = string(json[nameStart..<place]) ?? ""
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
