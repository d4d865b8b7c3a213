// What a subscriber hears: messages, where it stands, and what happens to its connection.
import RingpostCore

/// One message of the user.
public struct Message: Hashable, Sendable {
    /// Its number in the user's order, without holes within one incarnation of the cursor.
    public let sequence: UInt64
    /// Where to resume after this message.
    public let cursor: String
    /// 32 hexadecimal digits, the same in every repeat of one publish.
    public let id: String
    /// When the owner took it, in milliseconds since 1970.
    public let at: Int64
    /// The payload as JSON, byte for byte as the producer sent it; a JSON string when the producer sent text.
    public let data: [UInt8]

    /// The payload's text when it is a JSON string; otherwise `nil`.
    public var text: String? { data.withUnsafeBytes { $0.text(at: 0..<$0.count) } }
}

/// What a subscriber hears.
public enum SubscriberEvent: Hashable, Sendable {
    /// A connection is up; what is new comes after this cursor.
    case attached(cursor: String)
    case message(Message)
    /// Messages were lost to the bounds of the history; it goes on after this cursor.
    case gap(cursor: String)
    /// The connection has ended, for this reason.
    case disconnected(String)
    /// The next attempt comes after a pause, at the last cursor, at the next address.
    case reconnecting(afterMilliseconds: Int)
}

/// Why a subscription has ended for good.
public enum SubscriberError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A node refused it, and would again: HTTP status, code and message.
    case refused(status: Int, code: String, message: String)
    /// A node closed the connection and told the client not to come back.
    case stopped(String)

    /// A sentence for whoever subscribed.
    public var description: String {
        switch self {
        case .refused(let status, let code, let message): "\(code) (HTTP \(status)): \(message)"
        case .stopped(let reason): "the node told us to stop: \(reason)"
        }
    }
}

/// How a connection ended.
struct Disconnect: Error, Equatable, Sendable {
    var reason: String
    /// How long the server wishes the client to stay away.
    var wishMilliseconds: Int?
    /// Set when coming back would not help.
    var final: SubscriberError?

    init(_ reason: String, wishMilliseconds: Int? = nil, final: SubscriberError? = nil) {
        self.reason = reason
        self.wishMilliseconds = wishMilliseconds
        self.final = final
    }

    /// Reads the reason of a WebSocket close: "resume: going_away; retry-after-ms=1234".
    init(webSocketCode: UInt16?, reason text: String) {
        let parts = text.split(separator: ";").map { $0.trimmed }
        let advice = parts.first.map { $0.split(separator: ":", maxSplits: 1).map(\.trimmed) } ?? []
        let wish = parts.dropFirst().first { $0.hasPrefix("retry-after-ms=") }.flatMap { Int($0.dropFirst("retry-after-ms=".count)) }
        let name = advice.count == 2 ? String(advice[1]) : text.isEmpty ? "closed" : text
        let reason = webSocketCode.map { "\(name) (\($0))" } ?? name
        let stops = advice.first.map { $0 == CloseReason.Advice.stop.rawValue } ?? false
        self.init(reason, wishMilliseconds: wish, final: stops ? .stopped(reason) : nil)
    }

    /// Reads a refused request. What the client could have done better ends the subscription; the rest passes.
    init(status: Int, retryAfter: String?, body: [UInt8]) {
        let document: ErrorDocument? = try? OperatorClient.decode(body)
        let code = document?.error.code ?? "http_\(status)"
        let message = document?.error.message ?? "the node answers HTTP \(status)"
        let passes = status >= 500 || status == Problem.windowFull.status || status == Problem.requestTimeout.status
        self.init(
            "\(code): \(message)", wishMilliseconds: retryAfter.flatMap(Int.init).map { min($0, 3_600) * 1_000 },
            final: passes ? nil : .refused(status: status, code: code, message: message))
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        var rest = self
        while rest.first == " " { rest.removeFirst() }
        while rest.last == " " { rest.removeLast() }
        return rest
    }
}
