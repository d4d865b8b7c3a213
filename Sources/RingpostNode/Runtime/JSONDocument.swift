// Orders and answers of people and programs that nobody asks for often; messages and receipts are read and written byte by byte instead.
import FoundationEssentials
import NIOCore
import RingpostCore
import RingpostWire

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

    /// Reads the body of a request, with or without a byte order mark before it.
    ///
    /// - Parameters:
    ///   - usage: what to send instead.
    ///   - problem: what it is answered as.
    /// - Throws: why it is not taken.
    static func decode<Value: Decodable>(_ type: Value.Type, from body: ByteBuffer, usage: String, or problem: Problem = .badJSON)
        throws(ProblemReport) -> Value
    {
        let json = Array(JSONText.withoutByteOrderMark(body.readableBytesView))
        do throws(JSONFault) { try JSONText.check(document: json) } catch { throw ProblemReport(problem, "\(error.message): \(usage)") }
        guard let value = try? JSONDecoder().decode(type, from: Data(json)) else { throw ProblemReport(problem, usage) }
        return value
    }
}
