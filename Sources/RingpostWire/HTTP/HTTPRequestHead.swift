// A request's head: the bytes as they came, and where in them things are. Text is made only when it is asked for.

import NIOCore

/// A checked HTTP/1.1 or HTTP/1.0 request head.
///
/// It keeps its bytes by sharing the storage of the buffer that they arrived in, and allocates nothing by itself.
public struct HTTPRequestHead: Sendable {
    /// How the request's body ends.
    public enum Body: Sendable, Equatable {
        /// There is none.
        case none
        /// After that many bytes; possibly 0.
        case length(Int)
        /// With a chunk of size 0.
        case chunked
    }

    private let bytes: ByteBuffer
    private let fields: HTTPHeadFields

    /// - Parameter bytes: the head's bytes, from offset 0 of a buffer of their own.
    init(bytes: ByteBuffer, fields: HTTPHeadFields) {
        self.bytes = bytes
        self.fields = fields
    }

    /// The method, `.other` if it is none of the common ones.
    public var method: HTTPMethod { fields.method }
    /// The method's name as it was sent.
    public var methodText: String { withHead { String(decoding: $0.slice(fields.methodName.range), as: UTF8.self) } }
    /// 1 for HTTP/1.1, 0 for HTTP/1.0.
    public var minorVersion: Int { Int(fields.minorVersion) }
    /// Whether the client wants to send another request on this connection.
    public var keepAlive: Bool { fields.keepAlive }
    /// How the body ends.
    public var body: Body { fields.body }
    /// Whether the client waits for a `100 Continue` before it sends the body.
    public var expectsContinue: Bool { fields.expectsContinue }

    /// The path, not decoded: it begins with a slash, or is `*` (OPTIONS only).
    public var path: ByteBufferView { bytes.readableBytesView[fields.path.range] }
    /// The query, not decoded and without its question mark; nil if there is no question mark.
    public var query: ByteBufferView? { fields.query.map { bytes.readableBytesView[$0.range] } }
    /// The path as text, not decoded.
    public var pathText: String { withPathBytes { String(decoding: $0, as: UTF8.self) } }
    /// Whom the request is for, `host[:port]`: of an absolute target, or else of the Host header (RFC 9112 3.3).
    public var authority: String? {
        guard let span = fields.authority else { return self[.host] }
        return withHead { String(decoding: $0.slice(span.range), as: UTF8.self) }
    }

    /// Runs `body` on the bytes of ``authority``; they must not leave it.
    public func withAuthorityBytes<Value>(_ body: (UnsafeRawBufferPointer?) throws -> Value) rethrows -> Value {
        guard let span = fields.authority else { return try withBytes(of: .host, body) }
        return try withHead { try body($0.slice(span.range)) }
    }

    /// Runs `body` on the path's bytes; they must not leave it.
    public func withPathBytes<Value>(_ body: (UnsafeRawBufferPointer) throws -> Value) rethrows -> Value {
        try withHead { try body($0.slice(fields.path.range)) }
    }

    /// A header's value, several lines of a list joined by `", "` (RFC 9110 5.3); nil if it is absent. Bytes that are no
    /// UTF-8 are replaced.
    public subscript(_ header: KnownHeader) -> String? {
        withBytes(of: header) { bytes in bytes.map { String(decoding: $0, as: UTF8.self) } }
    }

    /// Whether the header is there.
    public func has(_ header: KnownHeader) -> Bool { fields.has(header) }

    /// Runs `body` on a header's value, nil if it is absent; the bytes must not leave it. Several lines of a list come
    /// joined by `", "`, and only then is something allocated.
    public func withBytes<Value>(of header: KnownHeader, _ body: (UnsafeRawBufferPointer?) throws -> Value) rethrows -> Value {
        try withHead { head in
            guard let value = fields.firstValue(header) else { return try body(nil) }
            guard fields.isRepeated(header) else { return try body(head.slice(value)) }
            var joined: [UInt8] = []
            _ = fields.anyValue(of: header, in: head) { value in
                if !joined.isEmpty { joined.append(contentsOf: [0x2C, 0x20]) }
                joined.append(contentsOf: value)
                return false
            }
            return try joined.withUnsafeBytes { try body($0) }
        }
    }

    /// Whether the header is there, on one line, and equals `ascii` without regard to case.
    /// - Parameter ascii: lower case.
    public func equalsIgnoringCase(_ header: KnownHeader, _ ascii: StaticString) -> Bool {
        withHead { head in
            guard let value = fields.firstValue(header), !fields.isRepeated(header) else { return false }
            return head.slice(value).equalsIgnoringCase(ascii)
        }
    }

    /// Whether the header, read as a comma-separated list over all its lines, has `token` among its elements, without
    /// regard to case.
    /// - Parameter token: lower case.
    public func containsToken(_ header: KnownHeader, _ token: StaticString) -> Bool {
        withHead { head in fields.anyValue(of: header, in: head) { $0.containsListElement(token) } }
    }

    /// Calls `body` with name and value of every header, known or not, in their order. Slow: two strings a header.
    public func forEachHeader(_ body: (String, String) -> Void) {
        withHead { head in
            _ = fields.anyHeader(in: head) { name, value in
                body(String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self))
                return false
            }
        }
    }

    @inline(__always)
    private func withHead<Value>(_ body: (UnsafeRawBufferPointer) throws -> Value) rethrows -> Value {
        try bytes.withUnsafeReadableBytes(body)
    }
}
