// JSON of the documents in ZooKeeper: keys sorted, so that one value has one text, and every fault with the znode's name.

import FoundationEssentials

enum DocumentJSON {
    static func encode(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do { return Array(try encoder.encode(value)) } catch {
            // The documents hold strings and integers only, which all have a JSON form.
            preconditionFailure("\(value) has no JSON form: \(error)")
        }
    }

    static func decode<Value: Decodable>(
        _ type: Value.Type, from json: [UInt8], bytesMax: Int, znode: String
    ) throws(DocumentError) -> Value {
        guard json.count <= bytesMax else {
            throw DocumentError(znode: znode, reason: "holds \(json.count) bytes, at most \(bytesMax) are allowed")
        }
        do { return try JSONDecoder().decode(type, from: Data(json)) } catch {
            throw DocumentError(znode: znode, reason: "can't be read as JSON: \(DecodingError.sentence(error))")
        }
    }

}

extension DecodingError {
    /// Why something could not be decoded, for people.
    package static func sentence(_ error: any Error) -> String {
        switch error as? DecodingError {
        case .keyNotFound(let key, _): "\"\(key.stringValue)\" is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context):
            (context.codingPath.last.map { "\"\($0.stringValue)\": " } ?? "") + context.debugDescription
        default: "\(error)"
        }
    }
}

/// A 64-bit word that stands in JSON as sixteen hexadecimal digits, because many JSON readers keep only 53 bits of a number.
struct HexadecimalWord: Codable {
    let word: UInt64

    init(word: UInt64) { self.word = word }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let digits = try container.decode(String.self)
        guard digits.utf8.count == 16, let word = UInt64(hexadecimal: Array(digits.utf8)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "expected sixteen hexadecimal digits")
        }
        self.word = word
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(word.hexadecimal)
    }
}
