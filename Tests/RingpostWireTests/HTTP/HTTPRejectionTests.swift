// One case for each rule by which a request is refused. Each is fed whole, byte by byte and in random pieces, and must be
// refused for the same reason every time.

import NIOCore
import RingpostWire
import Testing

/// A request, and what it is refused with; `head` stands for a good request line and Host.
struct Rejection: Sendable, CustomTestStringConvertible {
    let reason: String
    let request: String

    init(_ reason: String, _ request: String) {
        self.reason = reason
        self.request = request
    }

    var testDescription: String { "\(reason): \(request.prefix(60).debugDescription)" }

    /// A GET with these header lines after Host.
    static func get(_ reason: String, _ headers: String) -> Rejection {
        Rejection(reason, "GET / HTTP/1.1\r\nHost: a\r\n\(headers)\r\n\r\n")
    }

    /// A POST with these header lines after Host.
    static func post(_ reason: String, _ headers: String) -> Rejection {
        Rejection(reason, "POST / HTTP/1.1\r\nHost: a\r\n\(headers)\r\n\r\n")
    }

    /// A chunked POST with that body.
    static func chunked(_ reason: String, _ body: String) -> Rejection {
        post(reason, "Transfer-Encoding: chunked\r\n\r\n\(body)")
    }
}

@Suite struct HTTPRejectionTests {
    static let requestLines: [Rejection] = [
        Rejection("400 bad_request_line", "GET\r\n"),
        Rejection("400 bad_request_line", "GET /\r\n"),
        Rejection("400 bad_request_line", " GET / HTTP/1.1\r\n"),
        Rejection("400 bad_request_line", "GET  / HTTP/1.1\r\n"),
        Rejection("400 bad_request_line", "GET /  HTTP/1.1\r\n"),
        Rejection("400 bad_request_line", "GET / HTTP/1.1 \r\n"),
        Rejection("400 bad_request_line", "GET\t/ HTTP/1.1\r\n"),
        Rejection("400 bad_request_line", "G(T / HTTP/1.1\r\n"),
        Rejection("400 bad_request_line", "GET / http/1.1\r\n"),
        Rejection("400 bad_request_line", "GET / HTTP/1.10\r\n"),
        Rejection("400 bad_request_line", "GET / a HTTP/1.1\r\n"),
        Rejection("400 bare_line_feed", "GET / HTTP/1.1\nHost: a\r\n\r\n"),
        Rejection("400 bare_line_feed", "\nGET / HTTP/1.1\r\n"),
        Rejection("400 bare_carriage_return", "GET / HTTP/1.1\rHost: a\r\n\r\n"),
        Rejection("400 control_byte", "GET /\u{0} HTTP/1.1\r\n"),
        Rejection("400 control_byte", "\u{16}\u{03}\u{01}\u{02}\u{00}"),
        Rejection("400 too_many_empty_lines", "\r\n\r\n\r\n"),
        Rejection("400 bad_target", "GET a HTTP/1.1\r\n"),
        Rejection("400 bad_target", "GET * HTTP/1.1\r\n"),
        Rejection("400 bad_target", "OPTIONS *? HTTP/1.1\r\n"),
        Rejection("400 bad_target", "GET ?x HTTP/1.1\r\n"),
        Rejection("400 bad_target", "GET /x#y HTTP/1.1\r\n"),
        Rejection("400 bad_target", "GET /\u{e9} HTTP/1.1\r\n"),
        Rejection("400 bad_target", "GET /a\tb HTTP/1.1\r\n"),
        Rejection("400 bad_target", "CONNECT a:443 HTTP/1.1\r\n"),
        Rejection("400 bad_target", "GET ftp://a/ HTTP/1.1\r\n"),
        Rejection("400 bad_target", "GET http:// HTTP/1.1\r\n"),
        Rejection("400 bad_target", "GET http:///x HTTP/1.1\r\n"),
        Rejection("400 bad_target", "GET http://me@a/x HTTP/1.1\r\n"),
        Rejection("400 bad_target", "GET http://a:b/x HTTP/1.1\r\n"),
        Rejection("400 bad_target", "GET http://[::1/x HTTP/1.1\r\n"),
        Rejection("414 target_too_long", "GET /" + String(repeating: "x", count: HTTPLimits.targetBytesMax) + " HTTP/1.1\r\n"),
        Rejection("414 target_too_long", "GET /" + String(repeating: "x", count: 20_000)),
        Rejection("501 method_too_long", String(repeating: "M", count: HTTPLimits.methodBytesMax + 1) + " / HTTP/1.1\r\n"),
        Rejection("505 unsupported_version", "GET / HTTP/1.2\r\n"),
        Rejection("505 unsupported_version", "PRI * HTTP/2.0\r\n"),
    ]

    static let headers: [Rejection] = [
        .get("400 folded_header", "X: a\r\n b: c"),
        .get("400 folded_header", "X: a\r\n\tb"),
        Rejection("400 folded_header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
        .get("400 space_before_colon", "X : a"),
        .get("400 space_before_colon", "Content-Length\t: 1"),
        .get("400 space_before_colon", "a b: c"),
        .get("400 empty_header_name", ": a"),
        .get("400 bad_header_name", "X"),
        .get("400 bad_header_name", "X(y): a"),
        .get("400 bad_header_name", "X\u{e9}: a"),
        .get("400 control_byte", "X: a\u{0}b"),
        .get("400 control_byte", "X: a\u{7f}b"),
        .get("400 control_byte", "X: a\u{1b}b"),
        .get("400 bare_carriage_return", "X: a\rb"),
        .get("400 bare_line_feed", "X: a\nb: c"),
        .get("431 too_many_headers", String(repeating: "a:b\r\n", count: HTTPLimits.headerCountMax)),
        .get("431 head_too_long", "X: " + String(repeating: "x", count: HTTPLimits.headBytesMax)),
        .get("400 duplicate_host", "Host: a"),
        .get("400 duplicate_header", "Origin: a\r\nOrigin: a"),
        Rejection("400 missing_host", "GET / HTTP/1.1\r\n\r\n"),
        Rejection("400 bad_host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
        Rejection("400 bad_host", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
        Rejection("400 bad_host", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        Rejection("400 bad_host", "GET / HTTP/1.0\r\nHost: me@a\r\n\r\n"),
        Rejection("400 bad_host", "GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"),
        Rejection("400 bad_host", "GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n"),
        Rejection("400 bad_host", "GET / HTTP/1.1\r\nHost: :80\r\n\r\n"),
        Rejection("400 bad_host", "GET / HTTP/1.1\r\nHost: a%2\r\n\r\n"),
        Rejection("400 bad_host", "GET / HTTP/1.1\r\nHost: a%zz\r\n\r\n"),
        Rejection("400 bad_host", "GET / HTTP/1.1\r\nHost: a]\r\n\r\n"),
        Rejection("400 bad_host", "GET / HTTP/1.1\r\nHost: ::1\r\n\r\n"),
        Rejection("400 bad_host", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n"),
        Rejection("400 bad_host", "GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n"),
        Rejection("400 bad_host", "GET / HTTP/1.1\r\nHost: [::1]:x\r\n\r\n"),
        Rejection("400 bad_host", "GET / HTTP/1.1\r\nHost: []\r\n\r\n"),
        Rejection("400 bad_host", "GET / HTTP/1.1\r\nHost: [\r\n\r\n"),
        .get("417 unknown_expectation", "Expect: a-miracle"),
    ]

    static let bodies: [Rejection] = [
        .post("411 length_required", "X: a"),
        Rejection("411 length_required", "PUT / HTTP/1.1\r\nHost: a\r\n\r\n"),
        Rejection("411 length_required", "PATCH / HTTP/1.0\r\n\r\n"),
        .post("400 duplicate_content_length", "Content-Length: 1\r\nContent-Length: 1"),
        .post("400 bad_content_length", "Content-Length: 1, 1"),
        .post("400 bad_content_length", "Content-Length: +1"),
        .post("400 bad_content_length", "Content-Length: -1"),
        .post("400 bad_content_length", "Content-Length: 1 0"),
        .post("400 bad_content_length", "Content-Length: 0x1"),
        .post("400 bad_content_length", "Content-Length:"),
        .post("400 bad_content_length", "Content-Length: 00000000000000000001"),
        .post("413 too_large", "Content-Length: 65537"),
        .post("413 too_large", "Content-Length: 9999999999999999999"),
        .post("400 length_and_transfer_encoding", "Content-Length: 1\r\nTransfer-Encoding: chunked"),
        .post("400 length_and_transfer_encoding", "Transfer-Encoding: x\r\nContent-Length: 1"),
        .post("501 unsupported_transfer_encoding", "Transfer-Encoding: gzip, chunked"),
        .post("501 unsupported_transfer_encoding", "Transfer-Encoding: chunked, chunked"),
        .post("400 duplicate_transfer_encoding", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
        .post("400 duplicate_transfer_encoding", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity"),
        .post("400 chunked_not_last", "Transfer-Encoding: xchunked"),
        .post("400 chunked_not_last", "Transfer-Encoding: chunked, gzip"),
        .post("400 chunked_not_last", "Transfer-Encoding: chunked;q=1"),
        .post("400 chunked_not_last", "Transfer-Encoding: chunked,"),
        .post("400 chunked_not_last", "Transfer-Encoding:"),
        Rejection("400 transfer_encoding_in_http_1_0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ]

    static let chunks: [Rejection] = [
        .chunked("400 bad_chunk_size", "\r\n"),
        .chunked("400 bad_chunk_size", "g\r\n"),
        .chunked("400 bad_chunk_size", "0x1\r\n"),
        .chunked("400 bad_chunk_size", "+1\r\n"),
        .chunked("400 bad_chunk_size", " 1\r\n"),
        .chunked("400 bad_chunk_size", "1 \r\n"),
        .chunked("400 bad_chunk_size", "1 2\r\n"),
        .chunked("400 bad_chunk_size", "00000000000000001\r\n"),
        .chunked("400 bare_line_feed", "1\na"),
        .chunked("400 bare_carriage_return", "1;a\rb\r\n"),
        .chunked("400 control_byte", "1;\u{0}\r\n"),
        .chunked("400 bad_chunk_extension", "1;\r\n"),
        .chunked("400 bad_chunk_extension", "1;a \r\n"),
        .chunked("400 bad_chunk_extension", "1;a b\r\n"),
        .chunked("400 bad_chunk_extension", "1;a;;b\r\n"),
        .chunked("400 bad_chunk_extension", "1;=b\r\n"),
        .chunked("400 bad_chunk_extension", "1;a=\r\n"),
        .chunked("400 bad_chunk_extension", "1;a=\"b\r\n"),
        .chunked("400 bad_chunk_extension", "1;a=\"b\\\"\r\n"),
        .chunked("400 bad_chunk_extension", "1;a=\"b\\\r\n"),
        .chunked("400 bad_chunk_extension", "1;a=\"b\"c\r\n"),
        .chunked("400 bad_chunk_end", "1\r\nab\r\n"),
        .chunked("400 bad_chunk_end", "1\r\na\rb\r\n"),
        .chunked("400 chunk_line_too_long", "1;" + String(repeating: "x", count: HTTPLimits.chunkLineBytesMax)),
        .chunked("400 chunk_extensions_too_long", String(repeating: "1;" + String(repeating: "x", count: 200) + "\r\na\r\n", count: 30)),
        .chunked("413 too_large", "10001\r\n"),
        .chunked("413 too_large", "1\r\na\r\nFFFFFFFFFFFFFFFF\r\n"),
        .chunked("413 too_large", "8000\r\n" + String(repeating: "x", count: 0x8000) + "\r\n8001\r\n"),
        .chunked("431 trailers_too_long", "0\r\nX: " + String(repeating: "x", count: HTTPLimits.trailerBytesMax)),
        .chunked("431 trailers_too_long", "0\r\n" + String(repeating: "a:b\r\n", count: HTTPLimits.headerCountMax + 1)),
        .chunked("400 bad_header_name", "0\r\nX\r\n\r\n"),
        .chunked("400 folded_header", "0\r\nX: a\r\n b\r\n\r\n"),
    ]

    @Test(arguments: requestLines) func requestLine(_ rejection: Rejection) {
        #expect(httpTranscript(rejection.request) == [rejection.reason])
    }

    @Test(arguments: headers) func header(_ rejection: Rejection) {
        #expect(httpTranscript(rejection.request) == [rejection.reason])
    }

    @Test(arguments: bodies) func body(_ rejection: Rejection) {
        #expect(httpTranscript(rejection.request) == [rejection.reason])
    }

    @Test(arguments: chunks) func chunk(_ rejection: Rejection) {
        let transcript = httpTranscript(rejection.request)
        #expect(transcript.first == "POST / 1.1 chunked keep")
        #expect(transcript.last == rejection.reason)
    }

    @Test func aRefusalComesWithoutWaitingForMore() {
        #expect(httpTranscript("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 65537\r\n\r\n") == ["413 too_large"])
        #expect(httpTranscript("GET / HTTP/1.1\r\nX : a\r\n") == ["400 space_before_colon"])
        #expect(httpTranscript("GET / HTTP/1.1\r\nHost: a\n") == ["400 bare_line_feed"])
    }
}
