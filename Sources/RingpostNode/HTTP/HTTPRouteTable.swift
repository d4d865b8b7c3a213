// What a port answers: one row a method and path, with who may ask, how large the body may be, and who answers. Which methods a path takes,
// and that there is nothing at another one, follows from the rows.
import Glibc
import RingpostWire

/// One row. `Handler` is the type of a port's functions.
struct HTTPRoute<Handler>: Sendable where Handler: Sendable {
    /// GET takes HEAD as well.
    let method: HTTPMethod
    let path: PathPattern
    let scope: RouteScope
    let body: RouteBody
    /// Answered whatever the node's state is, also where no other connection is taken.
    let isAlwaysAnswered: Bool
    let handler: Handler

    init(
        _ method: HTTPMethod, _ path: StaticString, _ scope: RouteScope, body: RouteBody = .small, isAlwaysAnswered: Bool = false,
        _ handler: Handler
    ) {
        self.method = method
        self.path = PathPattern(path)
        self.scope = scope
        self.body = body
        self.isAlwaysAnswered = isAlwaysAnswered
        self.handler = handler
    }
}

/// Who may ask.
enum RouteScope {
    case anybody
    /// Clients, with a token where tokens are asked for. What they may hear, and publish, is held against the token by name.
    case client
    /// Producers, whose key is held against each message's name.
    case publish
    /// Keys that may read, and whose names include the one in the path.
    case readName
    /// Keys that may page through messages, and whose names include the one in the path.
    case historyOfName
    /// Keys that may read everything.
    case readAll
    /// These, and producers: it says where links are.
    case readNodes
    /// Keys that may give orders; no web page. The words say what such a key may do.
    case order(StaticString)
    /// These, if their names include the one in the path.
    case orderAboutName(StaticString)
    /// These, if their names include the one in the body.
    case orderAboutBody
}

/// How large a request's body may be.
enum RouteBody {
    /// No body is meant: what comes is not kept.
    case small
    /// One message.
    case payload
    /// Many messages.
    case batch

    private static let smallBytesMax = 1_024

    var isKept: Bool {
        switch self {
        case .small: false
        case .payload, .batch: true
        }
    }

    func bytesMax(_ limits: NodeLimits) -> Int {
        switch self {
        case .small: Self.smallBytesMax
        case .payload: limits.payloadBytesMax
        case .batch: limits.batchBytesMax
        }
    }
}

/// `/v1/users/{user}/messages`: text, at most one name, and text.
struct PathPattern: @unchecked Sendable, CustomStringConvertible {
    let description: String
    // Of a literal, which is there as long as the program.
    private let prefix: UnsafeRawBufferPointer
    private let suffix: UnsafeRawBufferPointer
    private let hasName: Bool

    init(_ text: StaticString) {
        description = "\(text)"
        let bytes = UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
        guard let open = bytes.firstIndex(of: UInt8(ascii: "{")), let close = bytes.firstIndex(of: UInt8(ascii: "}")) else {
            (prefix, suffix, hasName) = (bytes, UnsafeRawBufferPointer(rebasing: bytes[bytes.count...]), false)
            return
        }
        prefix = UnsafeRawBufferPointer(rebasing: bytes[..<open])
        suffix = UnsafeRawBufferPointer(rebasing: bytes[(close + 1)...])
        hasName = true
    }

    /// Where the name stands in a path that matches; an empty range for a pattern without one.
    func match(_ path: UnsafeRawBufferPointer) -> Range<Int>? {
        let nameEnd = path.count - suffix.count
        guard nameEnd >= prefix.count, Self.isEqual(path, 0, prefix), Self.isEqual(path, nameEnd, suffix) else { return nil }
        let name = prefix.count..<nameEnd
        guard hasName else { return name.isEmpty ? name : nil }
        // At the end of a path an empty name is none; within one it is a bad one.
        if name.isEmpty { return suffix.isEmpty ? nil : name }
        for index in name where path[index] == UInt8(ascii: "/") { return nil }
        return name
    }

    private static func isEqual(_ path: UnsafeRawBufferPointer, _ offset: Int, _ part: UnsafeRawBufferPointer) -> Bool {
        guard let start = path.baseAddress, let partStart = part.baseAddress else { return part.isEmpty }
        return memcmp(start + offset, partStart, part.count) == 0
    }
}

/// What a request's method and path come to.
enum RouteMatch: Equatable {
    /// The row, and where the name stands in the path.
    case found(routeIndex: Int, name: Range<Int>)
    /// The path is there, and takes these methods.
    case wrongMethod(allowed: [HTTPMethod])
    case nothing

    var isFound: Bool { if case .found = self { true } else { false } }

    /// The name in the path, not decoded.
    func name(in head: HTTPRequestHead) -> [UInt8] {
        guard case .found(_, let name) = self else { return [] }
        return head.withPathBytes { Array($0[name]) }
    }
}

/// A port's rows. The hot ones stand first: they are looked through in their order.
struct HTTPRouteTable<Handler>: Sendable where Handler: Sendable {
    let routes: [HTTPRoute<Handler>]

    init(_ routes: [HTTPRoute<Handler>]) { self.routes = routes }

    /// A slash at the end makes no difference, where there is nothing otherwise.
    func match(_ head: HTTPRequestHead) -> RouteMatch {
        head.withPathBytes { path in
            let match = match(head.method, path)
            guard match == .nothing, path.count > 1, path.last == UInt8(ascii: "/") else { return match }
            return self.match(head.method, UnsafeRawBufferPointer(rebasing: path.dropLast()))
        }
    }

    private func match(_ method: HTTPMethod, _ path: UnsafeRawBufferPointer) -> RouteMatch {
        let wanted = method == .head ? .get : method
        var allowed: [HTTPMethod] = []
        for (routeIndex, route) in routes.enumerated() {
            guard let name = route.path.match(path) else { continue }
            if route.method == wanted { return .found(routeIndex: routeIndex, name: name) }
            allowed.append(route.method)
        }
        return allowed.isEmpty ? .nothing : .wrongMethod(allowed: allowed)
    }

    subscript(match: RouteMatch) -> HTTPRoute<Handler>? {
        if case .found(let routeIndex, _) = match { routes[routeIndex] } else { nil }
    }
}

extension [HTTPMethod] {
    /// As `Allow` has it.
    var allow: String { flatMap { $0 == .get ? ["GET", "HEAD"] : [$0.name] }.joined(separator: ", ") }
}

extension HTTPMethod {
    var name: String {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .patch: "PATCH"
        case .other: "?"
        }
    }
}
