// Everything that a request can be refused for before it has reached a route: one table of statuses, codes and sentences.
// Codes are stable and meant for programs; sentences are for whoever reads the response.

/// Why a request was refused. The connection can't be used for another request: where the next one would begin is unknown.
public struct HTTPRequestError: Error, Equatable, Sendable {
    /// The status to answer with: 400, 411, 413, 414, 417, 431, 501 or 505.
    public let status: Int
    /// A stable name of the rule that was broken.
    public let code: String
    /// What was wrong, as a sentence.
    public let message: String

    private init(_ status: Int, _ code: String, _ message: String) {
        self.status = status
        self.code = code
        self.message = message
    }
}

/// Lines and the request line.
extension HTTPRequestError {
    static let bareCarriageReturn = HTTPRequestError(400, "bare_carriage_return", "A line must end with CR and LF; a CR stands alone.")
    static let bareLineFeed = HTTPRequestError(400, "bare_line_feed", "A line must end with CR and LF; an LF stands alone.")
    static let controlByte = HTTPRequestError(400, "control_byte", "A control byte stands in the request's head or framing.")
    static let tooManyEmptyLines = HTTPRequestError(400, "too_many_empty_lines", "There are too many empty lines before the request.")
    static let badRequestLine = HTTPRequestError(
        400, "bad_request_line",
        "The request line must be a method, a target and a version with one space between them; a space in the target is written %20.")
    static let methodTooLong = HTTPRequestError(501, "method_too_long", "The method's name is longer than any that is known.")
    static let badTarget = HTTPRequestError(
        400, "bad_target", "The target must be a path, an absolute http or https URI, or * with OPTIONS, without a fragment.")
    static let targetNotASCII = HTTPRequestError(
        400, "bad_target", "The target has bytes that are not ASCII: percent-encode them, as %C3%A9 for an e with an acute accent.")
    static let targetTooLong = HTTPRequestError(414, "target_too_long", "The request target is too long.")
    static let unsupportedVersion = HTTPRequestError(505, "unsupported_version", "Only HTTP/1.1 and HTTP/1.0 are spoken here.")
}

/// Headers.
extension HTTPRequestError {
    package static let headTooLong = HTTPRequestError(431, "head_too_long", "The request line and headers are too long together.")
    package static let tooManyHeaders = HTTPRequestError(431, "too_many_headers", "The request has too many headers.")
    static let foldedHeader = HTTPRequestError(400, "folded_header", "A header line begins with white space; folded headers are obsolete.")
    static let emptyHeaderName = HTTPRequestError(400, "empty_header_name", "A header line begins with its colon.")
    static let spaceBeforeColon = HTTPRequestError(400, "space_before_colon", "White space stands between a header's name and its colon.")
    static let badHeaderName = HTTPRequestError(400, "bad_header_name", "A header's name has a character that no name may have.")
    static let duplicateHeader = HTTPRequestError(400, "duplicate_header", "A header that may be given once was given again.")
    static let missingHost = HTTPRequestError(400, "missing_host", "An HTTP/1.1 request must have a Host header.")
    static let duplicateHost = HTTPRequestError(400, "duplicate_host", "There are two Host headers.")
    static let badHost = HTTPRequestError(400, "bad_host", "The Host header is no host with an optional port.")
    static let unknownExpectation = HTTPRequestError(417, "unknown_expectation", "The only expectation that can be met is 100-continue.")
}

/// Bodies.
extension HTTPRequestError {
    static let duplicateContentLength = HTTPRequestError(400, "duplicate_content_length", "There are two Content-Length headers.")
    static let badContentLength = HTTPRequestError(400, "bad_content_length", "Content-Length must be 1 to 19 digits and nothing else.")
    static let lengthAndTransferEncoding = HTTPRequestError(
        400, "length_and_transfer_encoding", "Content-Length and Transfer-Encoding exclude each other.")
    static let transferEncodingInHTTP10 = HTTPRequestError(
        400, "transfer_encoding_in_http_1_0", "HTTP/1.0 has no Transfer-Encoding.")
    static let duplicateTransferEncoding = HTTPRequestError(
        400, "duplicate_transfer_encoding", "There are two Transfer-Encoding headers.")
    /// RFC 9112 6.3 asks for 400 here, where 6.1 has 501 for codings that are only not known.
    static let chunkedNotLast = HTTPRequestError(
        400, "chunked_not_last", "The last Transfer-Encoding must be chunked, or nobody knows where the body ends.")
    static let unsupportedTransferEncoding = HTTPRequestError(
        501, "unsupported_transfer_encoding", "The only Transfer-Encoding understood is chunked.")
    static let lengthRequired = HTTPRequestError(
        411, "length_required", "A request with this method needs a Content-Length or a chunked body.")
    package static let bodyTooLarge = HTTPRequestError(413, "too_large", "The request's body is too large.")
    static let badChunkSize = HTTPRequestError(
        400, "bad_chunk_size", "A chunk's size must be hexadecimal digits, then the line's end or a semicolon.")
    static let badChunkExtension = HTTPRequestError(
        400, "bad_chunk_extension", "A chunk's extensions must each be ;name or ;name=value, the value a word or in closed quotes.")
    static let badChunkEnd = HTTPRequestError(400, "bad_chunk_end", "A chunk's data must be followed by CR and LF.")
    static let chunkLineTooLong = HTTPRequestError(400, "chunk_line_too_long", "The line that announces a chunk is too long.")
    static let chunkExtensionsTooLong = HTTPRequestError(400, "chunk_extensions_too_long", "The chunks' extensions are too long together.")
    static let trailersTooLong = HTTPRequestError(431, "trailers_too_long", "The trailers are too many or too long.")
}
