// A frame's header (RFC 6455 5.2), parsed and checked as far as a header alone can be checked. Checks go byte by byte from
// the front, so that a frame is refused for the same reason however it was cut into packets.

/// The facts of one frame's header.
struct WebSocketHeader {
    let opcode: WebSocketOpcode
    let isFinal: Bool
    /// Nil on frames from servers.
    let mask: WebSocketMask?
    let payloadLength: Int
    /// Bytes of the header itself: 2 … 14.
    let headerLength: Int

    /// What a frame's first byte has to fit to.
    struct Context {
        let role: WebSocketDecoder.Role
        /// Whether a fragmented message is open.
        let isInMessage: Bool
        /// How much longer the message may become.
        let messageBytesLeft: Int
    }

    /// Parses the header that `bytes` begins with; nil if more bytes are needed.
    static func parse(_ bytes: UnsafeRawBufferPointer, _ context: Context) throws(WebSocketError) -> WebSocketHeader? {
        guard bytes.count >= 1 else { return nil }
        let isFinal = bytes[0] & 0x80 != 0
        let opcode = try opcode(bytes[0], isFinal: isFinal, isInMessage: context.isInMessage)
        guard bytes.count >= 2 else { return nil }
        let isMasked = bytes[1] & 0x80 != 0
        switch context.role {
        case .server: if !isMasked { throw .missingMask }
        case .client: if isMasked { throw .unexpectedMask }
        }
        guard let (length, lengthEnd) = try length(bytes, opcode: opcode) else { return nil }
        if !opcode.isControl, length > UInt64(max(0, context.messageBytesLeft)) { throw .messageTooBig }
        guard isMasked else {
            return WebSocketHeader(opcode: opcode, isFinal: isFinal, mask: nil, payloadLength: Int(length), headerLength: lengthEnd)
        }
        guard bytes.count >= lengthEnd + 4 else { return nil }
        let key = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: lengthEnd, as: UInt32.self))
        return WebSocketHeader(
            opcode: opcode, isFinal: isFinal, mask: WebSocketMask(key: key), payloadLength: Int(length), headerLength: lengthEnd + 4)
    }

    private static func opcode(_ byte: UInt8, isFinal: Bool, isInMessage: Bool) throws(WebSocketError) -> WebSocketOpcode {
        guard byte & 0x70 == 0 else { throw .reservedBits }
        guard let opcode = WebSocketOpcode(rawValue: byte & 0x0F) else { throw .reservedOpcode }
        if opcode.isControl {
            guard isFinal else { throw .fragmentedControl }
        } else if opcode == .continuation {
            guard isInMessage else { throw .strayContinuation }
        } else if isInMessage {
            throw .interruptedMessage
        }
        return opcode
    }

    /// The payload's length, and where in the header it ends.
    private static func length(
        _ bytes: UnsafeRawBufferPointer, opcode: WebSocketOpcode
    ) throws(WebSocketError) -> (length: UInt64, end: Int)? {
        let short = UInt64(bytes[1] & 0x7F)
        if short < 126 { return (short, 2) }
        if opcode.isControl { throw .longControl }
        if short == 126 {
            guard bytes.count >= 4 else { return nil }
            let length = UInt64(UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
            guard length > 125 else { throw .longLengthForm }
            return (length, 4)
        }
        guard bytes.count >= 10 else { return nil }
        let length = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt64.self))
        guard length >> 63 == 0 else { throw .badLength }
        guard length > 0xFFFF else { throw .longLengthForm }
        return (length, 10)
    }
}
