// Where a client stands in a mailbox. Clients keep it as an opaque text and hand it back to resume, on any node and
// any transport.

/// A position in one incarnation of a mailbox: everything up to `sequence` has been seen.
public struct Cursor: Hashable, Sendable {
    /// Sixteen hexadecimal digits, a hyphen, up to twenty decimal ones.
    public static let textBytesMax = 37

    /// 64 random bits, new whenever a mailbox starts without knowing what came before.
    public let incarnation: UInt64
    /// The last sequence number seen; 0 before the first message.
    public let sequence: UInt64

    /// A position that an owner has handed out.
    public init(incarnation: UInt64, sequence: UInt64) {
        self.incarnation = incarnation
        self.sequence = sequence
    }

    /// Reads the text that ``append(to:)`` makes, and puts up with upper-case digits and leading zeros; `nil` for anything else.
    public init?(text: some Collection<UInt8>) {
        // Of one type from here on: bytes taken one by one out of any collection cost as much as a whole message.
        let inPlace = text.withContiguousStorageIfAvailable { Cursor(bytes: $0) }
        guard let cursor = inPlace ?? Array(text).withUnsafeBufferPointer({ Cursor(bytes: $0) }) else { return nil }
        self = cursor
    }

    private init?(bytes text: UnsafeBufferPointer<UInt8>) {
        guard text.count >= 18, text.count <= Self.textBytesMax else { return nil }
        guard text[16] == UInt8(ascii: "-"), let incarnation = UInt64(hexadecimal: UnsafeBufferPointer(rebasing: text[..<16])) else {
            return nil
        }
        var sequence: UInt64 = 0
        for byte in text.dropFirst(17) {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            let (shifted, overflow) = sequence.multipliedReportingOverflow(by: 10)
            let (sum, carry) = shifted.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
            if overflow || carry { return nil }
            sequence = sum
        }
        self.init(incarnation: incarnation, sequence: sequence)
    }

    /// Appends the cursor's text.
    public func append(to bytes: inout [UInt8]) {
        bytes.append(hexadecimal: incarnation)
        bytes.append(UInt8(ascii: "-"))
        bytes.append(decimal: sequence)
    }

    /// The text that clients keep.
    public var text: String {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// Names one publish, the same in every repeat of it: an idempotency key's hash, or a number that its router drew.
public struct MessageID: Hashable, Sendable {
    /// The first half.
    public let high: UInt64
    /// The second half.
    public let low: UInt64

    /// An id of two halves.
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Appends 32 hexadecimal digits.
    public func append(to bytes: inout [UInt8]) {
        bytes.append(hexadecimal: high)
        bytes.append(hexadecimal: low)
    }

    /// The text that clients keep.
    public var text: String {
        var bytes: [UInt8] = []
        append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
