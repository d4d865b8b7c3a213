// Is this request the opening of a WebSocket (RFC 6455 4.2.1)? Answering it, with a hash of the key, is the shell's part.

extension HTTPRequestHead {
    /// What a request has to do with WebSockets.
    public enum WebSocketUpgrade: Sendable, Equatable {
        /// Nothing: no `Upgrade: websocket`.
        case notRequested
        /// It opens one; the key is in ``KnownHeader/secWebSocketKey``.
        case valid
        /// It wants another version than 13: answer 426 with `Sec-WebSocket-Version: 13` (RFC 6455 4.4).
        case versionMismatch
        /// It wants one and breaks a rule, named in the sentence: answer 400.
        case malformed(String)
    }

    /// Whether this opens a WebSocket in the version that is spoken here.
    public var isWebSocketUpgrade: Bool { webSocketUpgrade == .valid }

    /// What this request has to do with WebSockets. (That HTTP/1.1 has a Host was checked with the head.)
    public var webSocketUpgrade: WebSocketUpgrade {
        guard containsToken(.upgrade, "websocket") else { return .notRequested }
        guard method == .get else { return .malformed("A WebSocket is opened with GET.") }
        guard minorVersion == 1 else { return .malformed("A WebSocket needs HTTP/1.1.") }
        guard body == .none || body == .length(0) else { return .malformed("The request that opens a WebSocket has no body.") }
        guard containsToken(.connection, "upgrade") else { return .malformed("Connection must name Upgrade.") }
        guard has(.secWebSocketVersion) else { return .malformed("Sec-WebSocket-Version is missing.") }
        guard equalsIgnoringCase(.secWebSocketVersion, "13") else { return .versionMismatch }
        guard withBytes(of: .secWebSocketKey, { Self.isKey($0) }) else {
            return .malformed("Sec-WebSocket-Key must be 16 bytes in base64.")
        }
        return .valid
    }

    /// 16 bytes are 22 characters of base64 and two of padding.
    private static func isKey(_ value: UnsafeRawBufferPointer?) -> Bool {
        guard let value, value.count == 24, value[22] == UInt8(ascii: "="), value[23] == UInt8(ascii: "=") else { return false }
        return value[..<22].allSatisfy { ASCIISet.base64.contains($0) }
    }
}
