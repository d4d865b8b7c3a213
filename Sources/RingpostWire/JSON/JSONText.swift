// Three things the router does with JSON that it doesn't want to understand: check it, quote a text into it, and make
// it fit one line. It never builds values; a message's payload travels as the bytes that its producer sent.

import NIOCore

/// Operations on JSON as bytes (RFC 8259).
public enum JSONText {
    /// Levels of arrays and objects that a payload may have, whichever way it comes; each form that a payload stands in (a
    /// batch's line, a command) may have its own levels besides. The same for every other text that a node reads.
    public static let nestingMax = 64
    /// The most levels that `isValid` follows, whatever its caller asks for. The stack of open brackets is one bit a level in
    /// one word, so that checking allocates nothing and can't overflow the thread's stack.
    public static let depthCeiling = UInt128.bitWidth

    /// Whether `bytes` is exactly one JSON value, with white space around it or not.
    ///
    /// Strict RFC 8259: the text must be well-formed UTF-8 without a byte order mark. An escaped surrogate without its
    /// partner (`"\uD800"`) is accepted, as the grammar accepts it (section 8.2 leaves its meaning open); numbers of any size
    /// are, too, and so are names that stand twice: ``JSONObject`` refuses these where members are read.
    /// - Parameter depthMax: the most open arrays and objects, at most ``depthCeiling``; deeper is answered with false.
    public static func isValid(_ bytes: UnsafeRawBufferPointer, depthMax: Int = nestingMax) -> Bool {
        fault(in: bytes, depthMax: depthMax) == nil
    }

    /// Why `bytes` is not exactly one JSON value; `nil` if it is. See ``isValid(_:depthMax:)-(UnsafeRawBufferPointer,_)``.
    package static func fault(in bytes: UnsafeRawBufferPointer, depthMax: Int = nestingMax) -> JSONFault? {
        guard UTF8Check.isValid(bytes) else { return .malformed }
        var scanner = JSONScanner(bytes: bytes, depthMax: min(depthMax, depthCeiling))
        if scanner.scanText() { return nil }
        return scanner.isTooDeep ? .tooDeep : .malformed
    }

    /// Whether `bytes` is exactly one JSON value; see the other overload.
    public static func isValid(_ bytes: [UInt8], depthMax: Int = nestingMax) -> Bool {
        bytes.withUnsafeBytes { isValid($0, depthMax: depthMax) }
    }

    /// Appends a text as a JSON string, quotes included. Escapes what RFC 8259 7 says must be and nothing else.
    /// - Parameter utf8: well-formed UTF-8 (see ``UTF8Check``); it is copied as it is, not checked.
    public static func appendQuoted(_ utf8: UnsafeRawBufferPointer, to output: inout [UInt8]) {
        output.append(0x22)
        var start = 0
        while true {
            let special = WordScan.firstJSONSpecial(utf8, from: start, to: utf8.count)
            if special > start { output.append(contentsOf: UnsafeRawBufferPointer(rebasing: utf8[start..<special])) }
            if special == utf8.count { break }
            appendEscape(utf8[special], to: &output)
            start = special + 1
        }
        output.append(0x22)
    }

    /// Appends a text as a JSON string, quotes included.
    public static func appendQuoted(_ text: String, to output: inout [UInt8]) {
        var text = text
        text.withUTF8 { appendQuoted(UnsafeRawBufferPointer($0), to: &output) }
    }

    /// A *valid* JSON text without the line breaks and tabs between its tokens, so that it fits one line of an event
    /// stream; the very same array if it has none. (In a valid text a control byte can't stand inside a string, so each
    /// one that is found is white space.)
    public static func compactLineBreaks(_ json: [UInt8]) -> [UInt8] {
        let hasNone = json.withUnsafeBytes { WordScan.firstControl($0, from: 0, to: $0.count) == $0.count }
        return hasNone ? json : json.filter { !isLineSpace($0) }
    }

    /// The same for a buffer's readable bytes; the buffer itself, sharing its storage, if there is nothing to drop.
    public static func compactLineBreaks(_ json: ByteBuffer) -> ByteBuffer {
        json.withUnsafeReadableBytes { bytes in
            if WordScan.firstControl(bytes, from: 0, to: bytes.count) == bytes.count { return json }
            var output = ByteBuffer()
            output.writeWithUnsafeMutableBytes(minimumWritableBytes: bytes.count) { target in
                var count = 0
                for byte in bytes where !isLineSpace(byte) {
                    target[count] = byte
                    count &+= 1
                }
                return count
            }
            return output
        }
    }

    @inline(__always)
    private static func isLineSpace(_ byte: UInt8) -> Bool {
        byte == 0x0A || byte == 0x0D || byte == 0x09
    }

    private static func appendEscape(_ byte: UInt8, to output: inout [UInt8]) {
        output.append(0x5C)
        switch byte {
        case 0x08: output.append(UInt8(ascii: "b"))
        case 0x09: output.append(UInt8(ascii: "t"))
        case 0x0A: output.append(UInt8(ascii: "n"))
        case 0x0C: output.append(UInt8(ascii: "f"))
        case 0x0D: output.append(UInt8(ascii: "r"))
        case 0x22, 0x5C: output.append(byte)
        default:
            let low = byte & 0x0F
            output.append(contentsOf: [0x75, 0x30, 0x30, 0x30 + (byte >> 4), low < 10 ? 0x30 + low : 0x57 + low])
        }
    }
}
