// How a subscriber's connection ended, read from the four forms in which a node says it: a WebSocket's close, an event
// stream's `close`, the answer to a poll, a refused request.
import RingpostCore

/// How a connection ended.
struct Disconnect: Error, Equatable, Sendable {
    var reason: String
    /// How long the server wishes the client to stay away.
    var wishMilliseconds: Int?
    /// Where the server would rather have the client, the best first.
    var at: [Endpoint] = []
    /// The server can't take the client just now, and has given it a time at which it can.
    var isAppointment = false
    /// The server would take the client back with another token.
    var renews = false
    /// Set when coming back would not help.
    var final: SubscriberError?

    init(_ reason: String, wishMilliseconds: Int? = nil, final: SubscriberError? = nil) {
        self.reason = reason
        self.wishMilliseconds = wishMilliseconds
        self.final = final
    }

    /// Reads the reason of a WebSocket close: "resume: going_away; after=1200; at=10.0.0.3:8080".
    init(webSocketCode: UInt16?, reason text: String) {
        let parts = text.split(separator: ";").map(\.trimmed)
        let advice = parts.first.map { $0.split(separator: ":", maxSplits: 1).map(\.trimmed) } ?? []
        let name = advice.count == 2 ? String(advice[1]) : text.isEmpty ? "closed" : text
        let reason = webSocketCode.map { "\(name) (\($0))" } ?? name
        let stops = advice.first.map { $0 == CloseReason.Advice.stop.rawValue } ?? false
        self.init(reason, final: stops ? .stopped(reason) : nil)
        renews = advice.first.map { $0 == CloseReason.Advice.renew.rawValue } ?? false
        isAppointment = name == CloseReason.tryLater.code
        for part in parts.dropFirst() {
            // What it doesn't know is passed over: a newer node can say more.
            if part.hasPrefix("after=") { wishMilliseconds = UInt(part.dropFirst("after=".count)).map(Int.init(clamping:)) }
            if part.hasPrefix("at=") { at = Self.endpoints(String(part.dropFirst("at=".count))) }
        }
    }

    /// Reads a refused request. What the client could have done better ends the subscription; the rest passes.
    init(status: Int, retryAfter: String?, body: [UInt8]) {
        let document: ErrorDocument? = try? OperatorClient.decode(body)
        let code = document?.error.code ?? "http_\(status)"
        let message = document?.error.message ?? "the node answers HTTP \(status)"
        let passes = status >= 500 || status == Problem.windowFull.status || status == Problem.requestTimeout.status
        self.init("\(code): \(message)", final: passes ? nil : .refused(status: status, code: code, message: message))
        // The header knows whole seconds only, and may be the word of somebody in between; a date in it is not read.
        let seconds = retryAfter.flatMap { UInt($0) }.map { Int(min($0, 3_600)) * 1_000 }
        wishMilliseconds = document?.error.retryAfterMilliseconds ?? seconds
        at = Self.endpoints(document?.error.at)
        isAppointment = code == Problem.overloaded.code && wishMilliseconds != nil
    }

    /// Reads "host:port,host:port"; what is none is left out.
    static func endpoints(_ text: String?) -> [Endpoint] {
        (text ?? "").split(separator: ",").compactMap { try? Endpoint(String($0)) }
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
