// A message as a producer makes it. Its number is its payload, so that it is known again wherever it turns up.

import RingpostCore

/// One message; all its repeats are the same one.
struct SimMessage {
    let number: UInt64
    let key: Key
    let producer: Int
    /// It has an idempotency key, so it may be sent again when nobody knows what became of it.
    let isRepeatable: Bool
    /// It is one of a stream; otherwise a request of its own.
    let isStreamed: Bool
    /// When the producer stops waiting (milliseconds of the simulation).
    let deadline: Int64

    /// A JSON string of sixteen hexadecimal digits.
    var payload: [UInt8] {
        var bytes: [UInt8] = [UInt8(ascii: "\"")]
        bytes.append(hexadecimal: number)
        bytes.append(UInt8(ascii: "\""))
        return bytes
    }

    /// The number in an envelope, which ends in the payload and a brace.
    static func number(inEnvelope envelope: [UInt8]) -> UInt64? {
        UInt64(hexadecimal: envelope.dropLast(2).suffix(16))
    }
}
