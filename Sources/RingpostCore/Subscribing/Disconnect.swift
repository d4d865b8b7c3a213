// The last word to a client: why its socket ends, and, where the node has an opinion, when and where to come back. The
// grammar of a WebSocket's close reason, which a program can take apart:
//
//     reason = advice ": " code *( "; " name "=" value )     resume: going_away; after=1200; at=10.0.0.3:8080
//     after  = whole milliseconds to stay away
//     at     = host:port *( "," host:port )                  client addresses of other nodes, the best first
//
// Names that a client does not know are to be passed over, so that a newer node can say more.

/// What a client is told when its socket ends.
public struct Disconnect: Sendable, Equatable {
    /// A close frame holds 125 bytes, two of them the code (RFC 6455, 5.5).
    public static let webSocketReasonBytesMax = 123

    /// Why.
    public let reason: CloseReason
    /// How long to stay away; `nil` leaves it to the client.
    public let afterMilliseconds: Int?
    /// Other nodes' client addresses, the best first.
    public let at: [String]

    /// - Parameters:
    ///   - afterMilliseconds: how long to stay away; `nil` leaves it to the client.
    ///   - at: other nodes' client addresses as "host:port", the best first.
    public init(_ reason: CloseReason, afterMilliseconds: Int? = nil, at: [String] = []) {
        self.reason = reason
        self.afterMilliseconds = afterMilliseconds.map { max(0, $0) }
        // A member announces its address itself; nothing in it may end the text that it is put into.
        self.at = at.filter { $0.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !Self.delimiters.contains($0) } }
    }

    private static let delimiters = Set("\"\\,;".utf8)

    /// The WebSocket close reason: `resume: slow_consumer`, or longer. Addresses that don't fit are left out, the last first.
    public var webSocketReason: String {
        var text = "\(reason.advice.rawValue): \(reason.code)"
        if let afterMilliseconds { text += "; after=\(afterMilliseconds)" }
        var addresses = at[...]
        while !addresses.isEmpty {
            let whole = "\(text); at=\(addresses.joined(separator: ","))"
            if whole.utf8.count <= Self.webSocketReasonBytesMax { return whole }
            addresses.removeLast()
        }
        return text
    }

    /// The data of an event stream's `close`: `{"code":"going_away","advice":"resume","after":1200,"at":"10.0.0.3:8080"}`.
    public var json: [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(text: "{\"code\":\"")
        bytes.append(contentsOf: reason.code.utf8)
        bytes.append(text: "\",\"advice\":\"")
        bytes.append(contentsOf: reason.advice.rawValue.utf8)
        bytes.append(text: "\"")
        appendMembers(after: "after", to: &bytes)
        bytes.append(text: "}")
        return bytes
    }

    /// `,"retryAfterMilliseconds":1200,"at":"10.0.0.3:8080"`, as far as there is something to say: for the answer to a request.
    public func appendMembers(to bytes: inout [UInt8]) { appendMembers(after: "retryAfterMilliseconds", to: &bytes) }

    private func appendMembers(after name: StaticString, to bytes: inout [UInt8]) {
        if let afterMilliseconds {
            bytes.append(text: ",\"")
            bytes.append(text: name)
            bytes.append(text: "\":")
            bytes.append(decimal: UInt64(afterMilliseconds))
        }
        if at.isEmpty { return }
        bytes.append(text: ",\"at\":\"")
        bytes.append(contentsOf: at.joined(separator: ",").utf8)
        bytes.append(text: "\"")
    }

    /// For `Retry-After`, which knows whole seconds only: never earlier than asked.
    public var retryAfterSeconds: Int? { afterMilliseconds.map { max(1, ($0 + 999) / 1_000) } }
}
