// The requests of one connection, one after another, strictly by RFC 9112. Where that RFC lets a server forgive, this
// parser refuses: a request that two programs could read differently is not worth an answer.

import NIOCore

/// One piece of a request.
public enum HTTPRequestPart: Sendable {
    /// A request begins.
    case head(HTTPRequestHead)
    /// The next bytes of its body, at least one, sharing the storage of the buffer that they came in.
    case body(ByteBuffer)
    /// The request is complete; the next part is another head.
    case end
}

/// Parses HTTP/1.1 and HTTP/1.0 requests from a byte stream.
///
/// Feed it one buffer: append what arrives, call ``next(_:)`` until it returns nil, and leave alone what it has not
/// consumed, as the search for a line's end resumes there.
public struct HTTPRequestParser: Sendable {
    private enum State {
        /// In a head, or before it. Can transition to `fixedBody` and `chunkedBody`.
        case head
        /// So many bytes of the body are missing; with none missing, `.end` is due. Can transition to `head`.
        case fixedBody(remaining: Int)
        /// In a chunked body. Can transition to `head`.
        case chunkedBody(HTTPChunkedBody)
        /// Refused; the same error comes again. Reached from every other state.
        case failed(HTTPRequestError)
    }

    private let limits: HTTPLimits
    private var state = State.head
    /// The head that is being parsed; fresh in every state but `head`. It is not in that case because moving its table of
    /// headers in and out took longer than parsing.
    private var scanner = HTTPHeadScanner()

    /// Starts at the beginning of a connection.
    public init(limits: HTTPLimits = HTTPLimits()) {
        self.limits = limits
    }

    /// The next part, or nil if `buffer` has not enough bytes for one. Consumes what the part is made of, and of an
    /// incomplete head nothing.
    /// - Throws: why the request is refused, now and at every later call. Nothing is consumed after that.
    public mutating func next(_ buffer: inout ByteBuffer) throws(HTTPRequestError) -> HTTPRequestPart? {
        do throws(HTTPRequestError) {
            return try step(&buffer)
        } catch {
            state = .failed(error)
            throw error
        }
    }

    @inline(__always)
    private mutating func step(_ buffer: inout ByteBuffer) throws(HTTPRequestError) -> HTTPRequestPart? {
        switch state {
        case .head: return try takeHead(&buffer)
        case .fixedBody(0):
            state = .head
            return .end
        case .fixedBody(let remaining):
            guard let bytes = buffer.readSlice(length: min(remaining, buffer.readableBytes)), bytes.readableBytes > 0 else { return nil }
            state = .fixedBody(remaining: remaining - bytes.readableBytes)
            return .body(bytes)
        case .chunkedBody(var chunks):
            let progress = try chunks.next(&buffer, limits: limits)
            state = .chunkedBody(chunks)
            switch progress {
            case .more: return nil
            case .data(let bytes): return .body(bytes)
            case .finished:
                state = .head
                return .end
            }
        case .failed(let error): throw error
        }
    }

    private mutating func takeHead(_ buffer: inout ByteBuffer) throws(HTTPRequestError) -> HTTPRequestPart? {
        guard buffer.readableBytes > 0 else { return nil }
        let length = try withReadableBytes(of: buffer) { bytes throws(HTTPRequestError) in
            try scanner.advance(bytes, limits: limits)
        }
        guard let length, let bytes = buffer.readSlice(length: length) else { return nil }
        let head = HTTPRequestHead(bytes: bytes, fields: scanner.fields)
        scanner = HTTPHeadScanner()
        switch head.body {
        case .none: state = .fixedBody(remaining: 0)
        case .length(let length): state = .fixedBody(remaining: length)
        case .chunked: state = .chunkedBody(HTTPChunkedBody())
        }
        return .head(head)
    }
}
