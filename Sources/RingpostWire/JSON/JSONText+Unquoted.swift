// The text that a JSON string stands for: the other direction of `appendQuoted`.

extension JSONText {
    /// What a JSON string says, in UTF-8; `nil` when the value is no string, or holds half a surrogate pair: the grammar takes that,
    /// but there is no text for it (RFC 8259 8.2).
    /// - Parameter json: one valid JSON value without white space around it.
    package static func unquoted(_ json: ArraySlice<UInt8>) -> [UInt8]? {
        guard json.count >= 2, json.first == UInt8(ascii: "\""), json.last == UInt8(ascii: "\"") else { return nil }
        var rest = json.dropFirst().dropLast()
        var text: [UInt8] = []
        text.reserveCapacity(rest.count)
        while let escape = rest.firstIndex(of: UInt8(ascii: "\\")) {
            text.append(contentsOf: rest[..<escape])
            rest = rest[(escape + 1)...]
            guard let kind = rest.popFirst() else { return nil }
            if kind == UInt8(ascii: "u") {
                guard let scalar = takeScalar(&rest) else { return nil }
                text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
            } else {
                guard let byte = unescaped(kind) else { return nil }
                text.append(byte)
            }
        }
        text.append(contentsOf: rest)
        return text
    }

    /// What a JSON string says; see ``unquoted(_:)``.
    package static func string(_ json: ArraySlice<UInt8>) -> String? { unquoted(json).map { String(decoding: $0, as: UTF8.self) } }

    private static func unescaped(_ kind: UInt8) -> UInt8? {
        switch kind {
        case 0x22, 0x5C, 0x2F: kind
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: nil
        }
    }

    /// Takes what follows `\u`, and the second half of a pair after the first.
    private static func takeScalar(_ rest: inout ArraySlice<UInt8>) -> Unicode.Scalar? {
        guard let first = takeUnit(&rest) else { return nil }
        guard UTF16.isLeadSurrogate(first) else { return Unicode.Scalar(first) }
        guard rest.popFirst() == UInt8(ascii: "\\"), rest.popFirst() == UInt8(ascii: "u"), let second = takeUnit(&rest),
            UTF16.isTrailSurrogate(second)
        else { return nil }
        return UTF16.decode(UTF16.EncodedScalar([first, second]))
    }

    private static func takeUnit(_ rest: inout ArraySlice<UInt8>) -> UInt16? {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let digit = rest.popFirst().flatMap(HexDigit.value) else { return nil }
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }
}
