// Writes frames (RFC 6455 5.2): unmasked ones as servers send them, masked ones as clients do. One message is one frame
// here. It draws no random numbers; a client brings its masking keys along.

import NIOCore

/// Writes WebSocket frames.
public enum WebSocketEncoder {
    /// The payload of a control frame, in bytes (RFC 6455 5.5).
    public static let controlPayloadBytesMax = 125
    /// The reason in a close frame, in bytes of UTF-8: what its code leaves of the payload.
    public static let closeReasonBytesMax = 123

    /// How many bytes a frame has before its payload: 2, 4 or 10, and 4 more if it is masked.
    public static func headerLength(payloadLength: Int, isMasked: Bool = false) -> Int {
        (payloadLength <= 125 ? 2 : payloadLength <= 0xFFFF ? 4 : 10) + (isMasked ? 4 : 0)
    }

    /// Writes the header of an unmasked, final frame; `payloadLength` bytes of payload are to follow.
    public static func writeHeader(opcode: WebSocketOpcode, payloadLength: Int, into output: inout ByteBuffer) {
        writeHeader(opcode, payloadLength, maskBit: 0, into: &output)
    }

    /// Writes a text message as a server does.
    /// - Parameter text: well-formed UTF-8; it isn't checked.
    public static func writeText(_ text: ByteBuffer, into output: inout ByteBuffer) {
        write(.text, text, into: &output)
    }

    /// Writes a text message as a server does; see the other overload.
    public static func writeText(_ text: [UInt8], into output: inout ByteBuffer) {
        writeHeader(opcode: .text, payloadLength: text.count, into: &output)
        output.writeBytes(text)
    }

    /// Writes a binary message as a server does.
    public static func writeBinary(_ bytes: ByteBuffer, into output: inout ByteBuffer) {
        write(.binary, bytes, into: &output)
    }

    /// Writes a ping as a server does.
    /// - Parameter payload: at most ``controlPayloadBytesMax`` bytes.
    public static func writePing(_ payload: ByteBuffer = ByteBuffer(), into output: inout ByteBuffer) {
        write(.ping, payload, into: &output)
    }

    /// Writes the answer to a ping as a server does.
    /// - Parameter payload: the ping's payload, at most ``controlPayloadBytesMax`` bytes.
    public static func writePong(_ payload: ByteBuffer, into output: inout ByteBuffer) {
        write(.pong, payload, into: &output)
    }

    /// Writes a close frame as a server does.
    /// - Parameters:
    ///   - code: one that may be sent (``WebSocketCloseCode/maySend(_:)``).
    ///   - reason: cut to at most ``closeReasonBytesMax`` bytes, at the end of a character.
    public static func writeClose(code: UInt16, reason: String, into output: inout ByteBuffer) {
        write(.close, closePayload(code: code, reason: reason), into: &output)
    }

    /// Writes any final frame as a client does.
    /// - Parameters:
    ///   - payload: at most ``controlPayloadBytesMax`` bytes in a control frame.
    ///   - maskKey: unpredictable and new for each frame (RFC 6455 5.3 and 10.3).
    public static func writeMasked(_ opcode: WebSocketOpcode, _ payload: ByteBuffer, maskKey: UInt32, into output: inout ByteBuffer) {
        let count = payload.readableBytes
        output.reserveCapacity(minimumWritableBytes: headerLength(payloadLength: count, isMasked: true) + count)
        writeHeader(opcode, count, maskBit: 0x80, into: &output)
        output.writeInteger(maskKey)
        var mask = WebSocketMask(key: maskKey)
        output.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { target in
            payload.withUnsafeReadableBytes { mask.apply($0, to: target) }
            return count
        }
    }

    /// Writes a close frame as a client does; see ``writeClose(code:reason:into:)`` and ``writeMasked(_:_:maskKey:into:)``.
    public static func writeMaskedClose(code: UInt16, reason: String, maskKey: UInt32, into output: inout ByteBuffer) {
        writeMasked(.close, closePayload(code: code, reason: reason), maskKey: maskKey, into: &output)
    }

    private static func write(_ opcode: WebSocketOpcode, _ payload: ByteBuffer, into output: inout ByteBuffer) {
        writeHeader(opcode: opcode, payloadLength: payload.readableBytes, into: &output)
        output.writeImmutableBuffer(payload)
    }

    private static func writeHeader(_ opcode: WebSocketOpcode, _ payloadLength: Int, maskBit: UInt8, into output: inout ByteBuffer) {
        precondition(
            !opcode.isControl || payloadLength <= controlPayloadBytesMax, "a control frame has \(payloadLength) bytes, and may have 125")
        let first = 0x80 | UInt16(opcode.rawValue)
        if payloadLength <= 125 {
            output.writeInteger(first << 8 | UInt16(maskBit) | UInt16(payloadLength))
        } else if payloadLength <= 0xFFFF {
            output.writeInteger(UInt32(first << 8 | UInt16(maskBit) | 126) << 16 | UInt32(payloadLength))
        } else {
            output.writeInteger(first << 8 | UInt16(maskBit) | 127)
            output.writeInteger(UInt64(payloadLength))
        }
    }

    private static func closePayload(code: UInt16, reason: String) -> ByteBuffer {
        precondition(WebSocketCloseCode.maySend(code), "close code \(code) may not be sent")
        var payload = ByteBuffer()
        payload.writeInteger(code)
        var reason = reason
        reason.withUTF8 { utf8 in
            var count = min(utf8.count, closeReasonBytesMax)
            // Back to the beginning of the character that the limit cuts.
            while count > 0, count < utf8.count, utf8[count] & 0xC0 == 0x80 { count -= 1 }
            payload.writeBytes(utf8[..<count])
        }
        return payload
    }
}
