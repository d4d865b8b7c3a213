// Walks one level of a JSON text and hands out its parts as ranges of bytes, so that a payload passes through untouched
// and a chat log of 200,000 lines is read in a blink. It finds borders and checks nothing inside a part.

import RingpostCore

/// A cursor over one JSON object or array.
package struct JSONReader {
    private let bytes: UnsafeRawBufferPointer
    private var index: Int
    private let end: Int
    private var isFirst = true

    /// - Parameters:
    ///   - bytes: must stay where they are while the reader is in use.
    ///   - range: the object or array; white space around it is passed over.
    package init(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>? = nil) {
        self.bytes = bytes
        index = range?.lowerBound ?? 0
        end = range?.upperBound ?? bytes.count
    }

    /// The next member of the object: its name without quotes, still escaped, and its value.
    package mutating func nextMember() -> (name: Range<Int>, value: Range<Int>)? {
        guard step(open: UInt8(ascii: "{")), let name = nextValue(), bytes[name.lowerBound] == UInt8(ascii: "\"") else { return nil }
        skipSpace()
        guard index < end, bytes[index] == UInt8(ascii: ":") else { return nil }
        index += 1
        guard let value = nextValue() else { return nil }
        return (name.lowerBound + 1..<name.upperBound - 1, value)
    }

    /// The next element of the array.
    package mutating func nextElement() -> Range<Int>? {
        step(open: UInt8(ascii: "[")) ? nextValue() : nil
    }

    /// To the beginning of the next part; `false` at the end and at anything that is not expected there.
    private mutating func step(open: UInt8) -> Bool {
        skipSpace()
        guard index < end, bytes[index] == (isFirst ? open : UInt8(ascii: ",")) else { return false }
        index += 1
        isFirst = false
        return true
    }

    private mutating func nextValue() -> Range<Int>? {
        skipSpace()
        guard index < end else { return nil }
        let start = index
        switch bytes[index] {
        case UInt8(ascii: "\""): guard skipString() else { return nil }
        case UInt8(ascii: "{"), UInt8(ascii: "["): guard skipNested() else { return nil }
        default:
            while index < end, !Self.endsScalar(bytes[index]) { index += 1 }
        }
        return index > start ? start..<index : nil
    }

    private mutating func skipSpace() {
        while index < end, bytes[index] == 0x20 || (bytes[index] >= 0x09 && bytes[index] <= 0x0D) { index += 1 }
    }

    private mutating func skipString() -> Bool {
        index += 1
        while index < end {
            let byte = bytes[index]
            index += byte == UInt8(ascii: "\\") ? 2 : 1
            if byte == UInt8(ascii: "\"") { return true }
        }
        return false
    }

    private mutating func skipNested() -> Bool {
        var depth = 0
        while index < end {
            switch bytes[index] {
            case UInt8(ascii: "\""):
                guard skipString() else { return false }
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
            index += 1
            if depth == 0 { return true }
        }
        return false
    }

    private static func endsScalar(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") || byte <= 0x20
    }
}

extension UnsafeRawBufferPointer {
    /// Whether the range holds exactly this text.
    package func holds(_ text: StaticString, at range: Range<Int>) -> Bool {
        range.count == text.utf8CodeUnitCount && self[range].elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: range.count))
    }

    /// The value as a number without sign; `nil` for anything else.
    package func unsigned(at range: Range<Int>) -> UInt64? {
        guard !range.isEmpty, range.count <= 20 else { return nil }
        var number: UInt64 = 0
        for byte in self[range] {
            guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
            let (product, overflow) = number.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
            if overflow || carry { return nil }
            number = sum
        }
        return number
    }

    /// The value, quotes included, as the text that the JSON string means; `nil` when it is no well-formed JSON string.
    package func text(at range: Range<Int>) -> String? {
        guard range.count >= 2, self[range.lowerBound] == UInt8(ascii: "\""), self[range.upperBound - 1] == UInt8(ascii: "\"") else {
            return nil
        }
        let inner = range.lowerBound + 1..<range.upperBound - 1
        if !self[inner].contains(UInt8(ascii: "\\")) { return String(validating: self[inner], as: UTF8.self) }
        return unescaped(inner).flatMap { String(validating: $0, as: UTF8.self) }
    }

    private func unescaped(_ range: Range<Int>) -> [UInt8]? {
        var output: [UInt8] = []
        output.reserveCapacity(range.count)
        var index = range.lowerBound
        while index < range.upperBound {
            let byte = self[index]
            index += 1
            guard byte == UInt8(ascii: "\\") else {
                output.append(byte)
                continue
            }
            guard index < range.upperBound else { return nil }
            let escape = self[index]
            index += 1
            switch escape {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): output.append(escape)
            case UInt8(ascii: "b"): output.append(0x08)
            case UInt8(ascii: "f"): output.append(0x0C)
            case UInt8(ascii: "n"): output.append(0x0A)
            case UInt8(ascii: "r"): output.append(0x0D)
            case UInt8(ascii: "t"): output.append(0x09)
            case UInt8(ascii: "u"):
                guard let scalar = scalar(at: &index, before: range.upperBound) else { return nil }
                output.append(contentsOf: Array(Character(scalar).utf8))
            default: return nil
            }
        }
        return output
    }

    /// The scalar of a `\u` escape, a pair of surrogates taken together; a lone one becomes U+FFFD, as decoders do.
    private func scalar(at index: inout Int, before end: Int) -> Unicode.Scalar? {
        guard let high = codeUnit(at: index, before: end) else { return nil }
        index += 4
        if let scalar = Unicode.Scalar(high) { return scalar }
        let isPair = high < 0xDC00 && index + 6 <= end && self[index] == UInt8(ascii: "\\") && self[index + 1] == UInt8(ascii: "u")
        guard isPair, let low = codeUnit(at: index + 2, before: end), low >= 0xDC00, low < 0xE000 else { return "\u{FFFD}" }
        index += 6
        return Unicode.Scalar(0x1_0000 + (UInt32(high) - 0xD800) << 10 + (UInt32(low) - 0xDC00))
    }

    private func codeUnit(at index: Int, before end: Int) -> UInt16? {
        guard index + 4 <= end else { return nil }
        return UInt64(hexadecimal: Array(self[index..<index + 4])).map(UInt16.init(truncatingIfNeeded:))
    }
}
