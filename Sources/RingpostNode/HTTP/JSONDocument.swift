// Answers for people and programs that nobody asks for often; messages and receipts are written byte by byte instead.
import FoundationEssentials

enum JSONDocument {
    static func encode(_ value: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            return Array(try encoder.encode(value)) + [UInt8(ascii: "\n")]
        } catch {
            // Only values of this program come here, none of which can fail to encode.
            preconditionFailure("can't encode \(type(of: value)): \(error)")
        }
    }
}
