// Which close codes may be on the wire (RFC 6455 7.4 and IANA's registry). What Ringpost's own codes mean is said elsewhere.

/// Facts about close codes.
public enum WebSocketCloseCode {
    /// Whether a close frame may carry that code: 1000-1003 and 1007-1014, which are assigned, and 3000-4999, which are for
    /// libraries and applications. 1005, 1006 and 1015 stand for things that are never sent.
    public static func maySend(_ code: UInt16) -> Bool {
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}
