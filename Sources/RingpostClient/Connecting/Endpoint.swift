// Where a node listens, as people write it: "http://127.0.0.1:8080", "https://node:8080" or "127.0.0.1:8080". Only what
// Ringpost's own ports need; it is no general URL parser.

/// A host and a port, and whether TLS is spoken there.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    /// A name or an address; an IPv6 address without its brackets.
    public let host: String
    /// 1 … 65,535.
    public let port: Int
    /// Whether TLS is spoken there.
    public let isTLS: Bool

    /// A host and a port that are known to be good.
    public init(host: String, port: Int, isTLS: Bool = false) {
        self.host = host
        self.port = port
        self.isTLS = isTLS
    }

    /// Reads `host:port`, `http://host:port`, `https://host:port` or `[v6]:port`, with or without a slash at the end; `ws://` and
    /// `wss://` are the same as `http://` and `https://`.
    ///
    /// - Throws: ``EndpointError``, which says what was expected.
    public init(_ text: String) throws(EndpointError) {
        var rest = Substring(text)
        var isTLS = false
        if let mark = rest.range(ofScheme: "://") {
            switch rest[..<mark.lowerBound] {
            case "http", "ws": break
            case "https", "wss": isTLS = true
            default: throw EndpointError(text: text)
            }
            rest = rest[mark.upperBound...]
        }
        if rest.last == "/" { rest.removeLast() }
        guard let colon = rest.lastIndex(of: ":"), let port = UInt16(rest[rest.index(after: colon)...]), port > 0 else {
            throw EndpointError(text: text)
        }
        var host = rest[..<colon]
        let isBracketed = host.first == "[" && host.last == "]" && host.count > 2
        if isBracketed { host = host.dropFirst().dropLast() }
        let hasForeignCharacter = host.contains { $0 == "/" || $0 == "@" || $0 == " " || ($0 == ":" && !isBracketed) }
        guard !host.isEmpty, !hasForeignCharacter else { throw EndpointError(text: text) }
        self.init(host: String(host), port: Int(port), isTLS: isTLS)
    }

    /// The same place as somebody meant it who was reached at another endpoint: nodes announce each other without a scheme, and
    /// whoever was reached over TLS never sends a client to where none is spoken.
    public func named(by other: Endpoint) -> Endpoint { Endpoint(host: host, port: port, isTLS: isTLS || other.isTLS) }

    /// `host:port`, an IPv6 address in brackets.
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    /// The address as the beginning of a URL.
    public var url: String { "\(isTLS ? "https" : "http")://\(description)" }
}

/// A text that names no place to connect to.
public struct EndpointError: Error, Equatable, Sendable, CustomStringConvertible {
    /// What was given.
    public let text: String

    /// A sentence for whoever gave it.
    public var description: String { "\"\(text)\" is no address; give http://host:port or https://host:port" }
}

extension Substring {
    fileprivate func range(ofScheme mark: String) -> Range<Index>? {
        var start = startIndex
        while start < endIndex {
            if self[start...].hasPrefix(mark) { return start..<index(start, offsetBy: mark.count) }
            start = index(after: start)
        }
        return nil
    }
}

extension String {
    /// The text as one part of a path or one value of a query (RFC 3986): its UTF-8, all but the unreserved bytes escaped.
    package var percentEncoded: String {
        var output: [UInt8] = []
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                output.append(byte)
            default:
                let digits = Array("0123456789ABCDEF".utf8)
                output += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
