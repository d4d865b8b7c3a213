// HTTP requests as this server reads them: head, body, path and query.
import NIOCore
import RingpostWire

enum RequestFuzzer {
    static let words = [
        "GET / HTTP/1.1\r\n", "POST ", "OPTIONS * ", "HTTP/1.0\r\n", "\r\n", "\r\n\r\n", "Host: a\r\n", "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n", "Connection: close\r\n", "Expect: 100-continue\r\n", "0\r\n\r\n", "5;a=b\r\n",
        "Upgrade: websocket\r\n",
        "Sec-WebSocket-Version: 13\r\n", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "Authorization: Bearer ", "http://a", "%2F",
        "?a=b&", "+",
        "Origin: http://a\r\n", "X-Forwarded-For: 1.2.3.4\r\n", "Sec-WebSocket-Protocol: ringpost.v1\r\n", " \t", "\r\n ", "\u{0}",
    ]
    private static let limits = HTTPLimits(bodyBytesMax: 512)

    private enum Part: Equatable {
        case head(String)
        /// All bytes of one body, or of the beginning of one.
        case body([UInt8])
        case end
        case error(HTTPRequestError)
        /// What the parser has left for later.
        case left(Int)
    }

    static func check(_ input: UnsafeRawBufferPointer) {
        let parts = Pieces.sameForAll(input, decode)
        for case .body(let bytes) in parts { demand(bytes.count <= limits.bodyBytesMax, "a body of \(bytes.count) bytes") }
        if parts.contains(where: { if case .error = $0 { true } else { false } }) { return }
        // Nothing of it can be used yet, so it is what a connection has to keep.
        for case .left(let count) in parts { demand(count <= HTTPLimits.headBytesMax, "\(count) bytes wait for more") }
    }

    private static func decode(_ pieces: [UnsafeRawBufferPointer]) -> [Part] {
        var parser = HTTPRequestParser(limits: limits)
        var buffer = ByteBuffer()
        var parts: [Part] = []
        for piece in pieces {
            buffer.writeBytes(piece)
            do throws(HTTPRequestError) {
                while let part = try parser.next(&buffer) { add(part, to: &parts) }
            } catch {
                let left = buffer.readableBytes
                demand((try? parser.next(&buffer)) == nil && buffer.readableBytes == left, "the parser goes on after \(error)")
                demand((400..<600).contains(error.status) && !error.code.isEmpty && !error.message.isEmpty, "\(error) says nothing")
                return parts + [.error(error)]
            }
        }
        return parts + [.left(buffer.readableBytes)]
    }

    private static func add(_ part: HTTPRequestPart, to parts: inout [Part]) {
        switch part {
        case .head(let head): parts.append(.head(read(head)))
        case .end: parts.append(.end)
        case .body(let bytes):
            demand(bytes.readableBytes > 0, "an empty piece of a body")
            guard case .body(let before)? = parts.last else { return parts.append(.body(Array(bytes.readableBytesView))) }
            parts[parts.count - 1] = .body(before + bytes.readableBytesView)
        }
    }

    /// All that a head says; every accessor walks it in its own way.
    private static func read(_ head: HTTPRequestHead) -> String {
        demand(!(head.has(.contentLength) && head.has(.transferEncoding)), "a body with two lengths")
        demand(!head.withPathBytes { $0.contains { $0 <= 0x20 || $0 == 0x7F } }, "a path with a control byte")
        var lines = ["\(head.methodText) \(head.pathText) \(head.minorVersion) \(head.body) \(head.keepAlive) \(head.expectsContinue)"]
        head.forEachHeader { name, value in
            demand(!name.isEmpty && !name.utf8.contains { $0 <= 0x20 || $0 == 0x3A }, "a header's name is \(name.debugDescription)")
            demand(!value.utf8.contains { ($0 < 0x20 && $0 != 0x09) || $0 == 0x7F }, "a control byte in \(value.debugDescription)")
            lines.append("\(name): \(value)")
        }
        demand(lines.count <= 1 + HTTPLimits.headerCountMax, "\(lines.count - 1) headers")
        for header in KnownHeader.allCases { demand((head[header] != nil) == head.has(header), "\(header) is there and is not") }
        lines.append("\(head.webSocketUpgrade) \(head.authority ?? "-")")
        check(path: head.path)
        if let query = head.query { check(query: query) }
        return lines.joined(separator: "\n")
    }

    private static func check(path: ByteBufferView) {
        if let whole = HTTPTarget.decode(path) { demand(HTTPTarget.decode(escaped(whole)) == whole, "an escaped path says something else") }
        guard let segments = HTTPTarget.segments(path) else { return }
        demand(segments.count <= HTTPTarget.segmentCountMax, "\(segments.count) segments")
        let again = segments.flatMap { [UInt8(ascii: "/")] + escaped($0) }
        demand(HTTPTarget.segments(again.isEmpty ? [UInt8(ascii: "/")] : again) == segments, "escaped segments say something else")
    }

    private static func check(query bytes: ByteBufferView) {
        guard let query = HTTPQuery(bytes) else { return }
        demand(query.count <= HTTPQuery.parameterCountMax, "\(query.count) parameters")
        for name in ["a", "user", "since"] {
            let values = query.all(name)
            demand(values.count == query.count(of: name) && values.first == query.bytes(name), "\(name) is counted in two ways")
            demand(values.reduce(0) { $0 + $1.count } <= bytes.count, "\(name) has grown")
        }
    }

    private static func escaped(_ bytes: [UInt8]) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        return bytes.flatMap { [UInt8(ascii: "%"), digits[Int($0 >> 4)], digits[Int($0 & 15)]] }
    }
}
