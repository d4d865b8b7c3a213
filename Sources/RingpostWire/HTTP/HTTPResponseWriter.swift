// Writes responses as HTTP/1.1 (RFC 9112 4 and 6). Whatever stands in a name or a value, no header can end early: control
// bytes don't get through.

import NIOCore

/// Writes response heads, and whole responses.
public enum HTTPResponseWriter {
    /// One header of a response, its value in whatever characters; see ``writeHead(status:headers:into:)``.
    public typealias Header = (name: String, value: String)

    /// What a response says about its connection (RFC 9112 9.3).
    public enum Persistence: Sendable, Equatable {
        /// Another response may follow, which HTTP/1.1 takes for granted.
        case implied
        /// Another response may follow, and the client, of HTTP/1.0, has to be told.
        case keepAlive
        /// This is the last one.
        case close
    }

    /// Writes a whole response.
    ///
    /// X-Content-Type-Options is always there, and Content-Length, except on statuses that must not have a body (1xx, 204, 304; RFC 9110 8.6), on which
    /// `body` is dropped. Connection is there unless `persistence` is implied. Content-Length, Transfer-Encoding and
    /// Connection among `headers` are left out: they are this function's to write.
    /// - Parameters:
    ///   - status: 100 … 999.
    ///   - persistence: whether another response may follow on this connection.
    ///   - date: when the response is made; without it, the response has no Date.
    ///   - isResponseToHead: whether to leave the body's bytes out and keep its length, as for HEAD.
    public static func write(
        status: Int, headers: [Header] = [], body: ByteBuffer, persistence: Persistence, date: HTTPDate? = nil,
        isResponseToHead: Bool = false, into output: inout ByteBuffer
    ) {
        writeFramedHead(
            status: status, headers: headers, bodyLength: body.readableBytes, persistence: persistence, date: date, into: &output)
        if !isResponseToHead, !HTTPStatus.hasNoBody(status) { output.writeImmutableBuffer(body) }
    }

    /// Writes a whole response; see the other overload.
    public static func write(
        status: Int, headers: [Header] = [], body: [UInt8] = [], persistence: Persistence, date: HTTPDate? = nil,
        isResponseToHead: Bool = false, into output: inout ByteBuffer
    ) {
        writeFramedHead(status: status, headers: headers, bodyLength: body.count, persistence: persistence, date: date, into: &output)
        if !isResponseToHead, !HTTPStatus.hasNoBody(status) { output.writeBytes(body) }
    }

    /// Writes a whole response to HEAD about what GET answers without an end: it has no Content-Length, because there is none
    /// (RFC 9110 8.6).
    public static func writeHeadOfStream(
        status: Int, headers: [Header], persistence: Persistence, date: HTTPDate? = nil, into output: inout ByteBuffer
    ) {
        writeFramedHead(status: status, headers: headers, bodyLength: nil, persistence: persistence, date: date, into: &output)
    }

    /// Writes a whole response of status 200 with JSON for a body, on a connection that goes on: the answer to each publish.
    public static func writeJSON(_ body: [UInt8], date: HTTPDate, into output: inout ByteBuffer) {
        output.writeStaticString("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n")
        output.writeBytes(date.line)
        output.writeStaticString("Content-Length: ")
        writeDecimal(body.count, into: &output)
        output.writeStaticString("\r\n\r\n")
        output.writeBytes(body)
    }

    /// Writes a head as it is given, with no header added but the date: for `101 Switching Protocols`, and for streams whose end
    /// is the connection's (those want `Connection: close`).
    ///
    /// In values a control byte other than a tab becomes a space; in names every byte that no name may have becomes `-`.
    public static func writeHead(status: Int, headers: [Header], date: HTTPDate? = nil, into output: inout ByteBuffer) {
        writeStatusLine(status, into: &output)
        if let date { output.writeBytes(date.line) }
        for header in headers { write(header, into: &output) }
        output.writeStaticString("\r\n")
    }

    /// Writes the whole head that opens a WebSocket (RFC 6455 4.2.2).
    ///
    /// - Parameters:
    ///   - hash: what proves that the request was understood, 20 bytes.
    ///   - headers: what else stands in it; see ``writeHead(status:headers:into:)``.
    public static func writeUpgrade(accepting hash: UnsafeRawBufferPointer, headers: [Header], into output: inout ByteBuffer) {
        output.writeStaticString(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ")
        writeBase64(hash, into: &output)
        output.writeStaticString("\r\n")
        for header in headers { write(header, into: &output) }
        output.writeStaticString("\r\n")
    }

    /// RFC 4648 4: three bytes are four characters, and what is missing at the end is told by `=`.
    private static func writeBase64(_ bytes: UnsafeRawBufferPointer, into output: inout ByteBuffer) {
        let alphabet: StaticString = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let present = min(3, bytes.count - start)
            var bits: UInt32 = 0
            for index in 0..<3 { bits = bits << 8 | (index < present ? UInt32(bytes[start + index]) : 0) }
            var characters: UInt32 = 0
            for index in 0..<4 {
                let character = index <= present ? alphabet.utf8Start[Int(bits >> UInt32(18 - 6 * index) & 63)] : UInt8(ascii: "=")
                characters = characters << 8 | UInt32(character)
            }
            output.writeInteger(characters)
        }
    }

    /// Writes the interim response that lets a client send the body it waits with (RFC 9110 15.2.1).
    public static func writeContinue(into output: inout ByteBuffer) {
        output.writeStaticString("HTTP/1.1 100 Continue\r\n\r\n")
    }

    private static func writeFramedHead(
        status: Int, headers: [Header], bodyLength: Int?, persistence: Persistence, date: HTTPDate?, into output: inout ByteBuffer
    ) {
        writeStatusLine(status, into: &output)
        if let date { output.writeBytes(date.line) }
        for header in headers where !isFraming(header.name) { write(header, into: &output) }
        // What a client has published stays what its type says, whatever it looks like.
        output.writeStaticString("X-Content-Type-Options: nosniff\r\n")
        if let bodyLength, !HTTPStatus.hasNoBody(status) {
            output.writeStaticString("Content-Length: ")
            writeDecimal(bodyLength, into: &output)
            output.writeStaticString("\r\n")
        }
        switch persistence {
        case .implied: break
        case .keepAlive: output.writeStaticString("Connection: keep-alive\r\n")
        case .close: output.writeStaticString("Connection: close\r\n")
        }
        output.writeStaticString("\r\n")
    }

    private static func writeStatusLine(_ status: Int, into output: inout ByteBuffer) {
        precondition(status >= 100 && status <= 999, "a status has three digits, not \(status)")
        output.writeStaticString("HTTP/1.1 ")
        writeDecimal(status, into: &output)
        output.writeStaticString(" ")
        output.writeStaticString(HTTPStatus.reason(status))
        output.writeStaticString("\r\n")
    }

    private static func write(_ header: Header, into output: inout ByteBuffer) {
        writeReplacing(header.name, with: UInt8(ascii: "-"), into: &output) { ASCIISet.token.contains($0) }
        output.writeStaticString(": ")
        writeReplacing(header.value, with: 0x20, into: &output) { $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }
        output.writeStaticString("\r\n")
    }

    /// Writes `text` with every byte that isn't allowed replaced.
    private static func writeReplacing(
        _ text: String, with replacement: UInt8, into output: inout ByteBuffer, isAllowed: (UInt8) -> Bool
    ) {
        let start = output.writerIndex
        let count = output.writeString(text)
        output.withVeryUnsafeMutableBytes { storage in
            for index in start..<start + count where !isAllowed(storage[index]) { storage[index] = replacement }
        }
    }

    private static func writeDecimal(_ number: Int, into output: inout ByteBuffer) {
        output.writeString(String(number))
    }

    private static func isFraming(_ name: String) -> Bool {
        var name = name
        return name.withUTF8 { utf8 in
            let bytes = UnsafeRawBufferPointer(utf8)
            return bytes.equalsIgnoringCase("content-length") || bytes.equalsIgnoringCase("connection")
                || bytes.equalsIgnoringCase("transfer-encoding")
        }
    }
}
