// Which pages may use the client port: those that the configuration allows, and those from loopback origins where the port itself is on
// loopback. Nothing here allows credentials: no cookie or saved password is ever looked at, a token has to be brought by the page.
// WebSockets are not covered by CORS at all, so the same list is held against their Origin header.
import RingpostCore
import RingpostWire

struct OriginPolicy: Sendable {
    private let allowed: Set<String>
    private let allowsAll: Bool
    private let allowsLoopback: Bool

    /// - Parameter allowsLoopback: the port is one that only this machine reaches, and so are its developers' pages.
    init(_ origins: [String], allowsLoopback: Bool = true) {
        self.allowsLoopback = allowsLoopback
        allowsAll = origins.contains("*")
        allowed = Set(origins.map { $0.lowercased() })
    }

    /// A request without an origin doesn't come from a page.
    func allows(_ head: HTTPRequestHead) -> Bool {
        guard head.has(.origin), let origin = head[.origin] else { return true }
        return allows(origin: origin)
    }

    /// What pages, and the libraries and tracers that they use, send with their requests.
    private static let allowedHeaders =
        "Authorization, Cache-Control, Content-Type, Idempotency-Key, Last-Event-ID, X-Requested-With, traceparent, tracestate"

    func allows(origin: String) -> Bool { allowsAll || allowed.contains(origin.lowercased()) || allowsLoopback && Self.isLoopback(origin) }

    /// Headers that let the page read the answer.
    func headers(for head: HTTPRequestHead) -> [HTTPResponseWriter.Header] {
        guard head.has(.origin), let origin = head[.origin] else { return [] }
        guard allows(origin: origin) else { return [("Vary", "Origin")] }
        return [("Access-Control-Allow-Origin", origin), ("Vary", "Origin"), ("Access-Control-Expose-Headers", "Retry-After")]
    }

    /// The answer to a browser that asks before it sends.
    func preflight(_ head: HTTPRequestHead) -> HTTPResponse {
        guard head.has(.origin), allows(head) else { return .problem(.forbiddenOrigin) }
        let headers: [HTTPResponseWriter.Header] = [
            ("Access-Control-Allow-Methods", "GET, HEAD"), ("Access-Control-Allow-Headers", Self.allowedHeaders),
            ("Access-Control-Max-Age", "600"),
        ]
        return HTTPResponse(status: 204, headers: headers)
    }

    private static func isLoopback(_ origin: String) -> Bool {
        for scheme in ["http://", "https://"] where origin.hasPrefix(scheme) {
            var host = origin.dropFirst(scheme.count)
            if host.hasPrefix("[::1]") {
                host = host.dropFirst(5)
                return host.isEmpty || host.hasPrefix(":")
            }
            let name = host.prefix { $0 != ":" }
            return name == "localhost" || name.hasSuffix(".localhost") || isLoopbackAddress(name)
        }
        return false
    }

    /// 127.0.0.0/8, written in full: "127.0.0.1.example.com" is somebody else's.
    private static func isLoopbackAddress(_ name: Substring) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }
}
