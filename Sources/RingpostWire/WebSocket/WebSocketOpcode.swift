// The six opcodes of RFC 6455 5.2; all others are reserved.

/// What a frame is.
public enum WebSocketOpcode: UInt8, Sendable {
    case continuation = 0x0
    case text = 0x1
    case binary = 0x2
    case close = 0x8
    case ping = 0x9
    case pong = 0xA

    /// Whether the frame is one of those that may stand between the fragments of a message (RFC 6455 5.5).
    public var isControl: Bool { rawValue & 0x8 != 0 }
}
