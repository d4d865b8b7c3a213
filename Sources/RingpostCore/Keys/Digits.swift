// Numbers as ASCII digits, written straight into a byte array: the way of a message makes no strings.

extension [UInt8] {
    /// Appends sixteen lower-case hexadecimal digits.
    public mutating func append(hexadecimal word: UInt64) {
        for shift in stride(from: 60, through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: (word &>> UInt64(shift)) & 0xF)
            append(digit < 10 ? digit &+ UInt8(ascii: "0") : digit &- 10 &+ UInt8(ascii: "a"))
        }
    }

    /// Appends a number in decimal digits.
    public mutating func append(decimal number: UInt64) {
        // From the last digit on, in memory of the stack: an array that was turned round would be copied.
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
            var index = digits.count
            var rest = number
            repeat {
                let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
                index -= 1
                digits[index] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: digit)
                rest = quotient
            } while rest > 0
            append(contentsOf: UnsafeBufferPointer(rebasing: digits[index...]))
        }
    }

    /// Appends the text's UTF-8.
    public mutating func append(text: StaticString) {
        append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}

extension UInt64 {
    /// Reads one to sixteen hexadecimal digits of either case; `nil` for anything else.
    public init?(hexadecimal digits: some Collection<UInt8>) {
        let inPlace = digits.withContiguousStorageIfAvailable { UInt64(hexadecimal: $0) }
        guard let word = inPlace ?? Array(digits).withUnsafeBufferPointer({ UInt64(hexadecimal: $0) }) else { return nil }
        self = word
    }

    /// The same of digits that lie side by side.
    public init?(hexadecimal digits: UnsafeBufferPointer<UInt8>) {
        guard digits.count >= 1, digits.count <= 16 else { return nil }
        var word: UInt64 = 0
        for digit in digits {
            switch digit {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): word = word << 4 | UInt64(digit - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): word = word << 4 | UInt64(digit - UInt8(ascii: "a") + 10)
            case UInt8(ascii: "A")...UInt8(ascii: "F"): word = word << 4 | UInt64(digit - UInt8(ascii: "A") + 10)
            default: return nil
            }
        }
        self = word
    }

    /// Sixteen lower-case hexadecimal digits.
    public var hexadecimal: String {
        var bytes: [UInt8] = []
        bytes.append(hexadecimal: self)
        return String(decoding: bytes, as: UTF8.self)
    }
}
