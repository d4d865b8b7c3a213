// JSON that is checked, cut to one line and taken apart, without being decoded.
import RingpostWire

enum JSONFuzzer {
    static let words = [
        "{\"a\":", "[", "]", "}", ",", ":", "\"", "\\\"", "\\\\", "\\u0041", "\\ud83d\\udc4b", "\\ud800", "null", "true", "false",
        "-0.5e+9", "\n", "\t",
        "👋",
    ]

    static func check(_ input: UnsafeRawBufferPointer) {
        let json = Array(input)
        guard JSONText.isValid(json) else { return }
        let compact = JSONText.compactLineBreaks(json)
        demand(JSONText.isValid(compact) && !compact.contains { $0 < 0x20 }, "on one line it is something else")
        takeApart(json[...], depth: 0)
    }

    /// The parts of a valid text are valid, and together they are the whole, but for brackets, commas and white space.
    private static func takeApart(_ json: ArraySlice<UInt8>, depth: Int) {
        demand(depth <= JSONText.depthCeiling, "a value lies \(depth) levels deep")
        demand(JSONText.isValid(Array(json)), "a part that is no value: \(String(decoding: json, as: UTF8.self))")
        if let elements = JSONArray.elements(of: json, countMax: .max) {
            for element in elements { takeApart(element, depth: depth + 1) }
            check(joined(elements.map { Array($0) }, [0x5B, 0x5D]), is: json)
        } else if let object = try? JSONObject(valid: json, countMax: .max) {
            demand(object.members.count == object.count, "members that are not counted")
            for member in object.members {
                demand(JSONText.isValid(Array(member.name)) && member.name.first == 0x22, "a name that is no string")
                takeApart(member.value, depth: depth + 1)
            }
            check(joined(object.members.map { $0.name + [0x3A] + $0.value }, [0x7B, 0x7D]), is: json)
        } else if let text = JSONText.unquoted(json) {
            demand(UTF8Check.isValid(text) && text.count <= json.count, "a string that stands for no text")
            var again: [UInt8] = []
            text.withUnsafeBytes { JSONText.appendQuoted($0, to: &again) }
            demand(JSONText.unquoted(again[...]) == text, "quoted again, a string says something else")
        }
    }

    private static func joined(_ parts: [some Collection<UInt8>], _ brackets: [UInt8]) -> [UInt8] {
        [brackets[0]] + parts.joined(separator: [0x2C]) + [brackets[1]]
    }

    private static func check(_ again: [UInt8], is json: ArraySlice<UInt8>) {
        demand(withoutSpace(again) == withoutSpace(json), "the parts are not the whole")
    }

    private static func withoutSpace(_ json: some Collection<UInt8>) -> [UInt8] {
        json.filter { $0 != 0x20 && $0 != 0x0A && $0 != 0x0D && $0 != 0x09 }
    }
}
