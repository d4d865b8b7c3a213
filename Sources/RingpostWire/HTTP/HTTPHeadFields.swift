// Where things are in a head: offsets only, so that a parsed head costs no allocation. The bytes themselves are in the
// slice that the head keeps, or, while it is being parsed, in the buffer that still grows.

/// A piece of a head. Two 16-bit numbers, as a head has at most ``HTTPLimits/headBytesMax`` bytes.
struct HTTPSpan: Sendable {
    private let start: UInt16
    private let count: UInt16

    @inline(__always)
    init(_ range: Range<Int>) {
        start = UInt16(range.lowerBound)
        count = UInt16(range.count)
    }

    static var empty: HTTPSpan { HTTPSpan(0..<0) }

    @inline(__always)
    var range: Range<Int> { Int(start)..<Int(start) &+ Int(count) }
}

/// What a head says, by place and by meaning.
struct HTTPHeadFields: Sendable {
    var method = HTTPMethod.other
    var methodName = HTTPSpan.empty
    var path = HTTPSpan.empty
    var query: HTTPSpan?
    /// The authority of an absolute-form target.
    var authority: HTTPSpan?
    /// HTTP/1.x.
    var minorVersion: UInt8 = 1
    /// Where the first header line begins.
    var headersStart: UInt16 = 0
    var keepAlive = false
    var expectsContinue = false
    var body = HTTPRequestHead.Body.none

    private var values = InlineArray<21, HTTPSpan>(repeating: .empty)
    /// One bit a known header: which were there, and which lists had more than one line.
    private var present: UInt32 = 0
    private var repeated: UInt32 = 0

    @inline(__always)
    func has(_ header: KnownHeader) -> Bool { present & (1 << UInt32(header.rawValue)) != 0 }

    @inline(__always)
    func isRepeated(_ header: KnownHeader) -> Bool { repeated & (1 << UInt32(header.rawValue)) != 0 }

    /// The first value of a header; nil if the header is absent.
    @inline(__always)
    func firstValue(_ header: KnownHeader) -> Range<Int>? { has(header) ? values[header.rawValue].range : nil }

    /// Notes a header line. The first value of a list stays in the table, and further ones are found by walking the head.
    @inline(__always)
    mutating func note(_ header: KnownHeader, _ value: Range<Int>) throws(HTTPRequestError) {
        let bit: UInt32 = 1 << UInt32(header.rawValue)
        guard present & bit == 0 else {
            guard header.isList else { throw Self.duplicate(header) }
            repeated |= bit
            return
        }
        present |= bit
        values[header.rawValue] = HTTPSpan(value)
    }

    private static func duplicate(_ header: KnownHeader) -> HTTPRequestError {
        switch header {
        case .host: .duplicateHost
        case .contentLength: .duplicateContentLength
        case .transferEncoding: .duplicateTransferEncoding
        default: .duplicateHeader
        }
    }

    /// Calls `body` with each value of `header`, in their order, until it returns true. Says whether it did.
    func anyValue(of header: KnownHeader, in head: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Bool) -> Bool {
        guard let first = firstValue(header) else { return false }
        guard isRepeated(header) else { return body(head.slice(first)) }
        return anyHeader(in: head) { name, value in KnownHeader.match(name) == header && body(value) }
    }

    /// Calls `body` with each header's name and value, in their order, until it returns true. Says whether it did.
    func anyHeader(
        in head: UnsafeRawBufferPointer, _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Bool
    ) -> Bool {
        var start = Int(headersStart)
        while start < head.count {
            let end = WordScan.firstLineBreak(head, from: start, to: head.count)
            // The empty line after the last header, or the end of the headers so far. Every other line was parsed before.
            guard end > start, end < head.count, let line = try? HTTPHeaderLine(head, line: start..<end) else { return false }
            if body(head.slice(line.name), head.slice(line.value)) { return true }
            start = end + 2
        }
        return false
    }
}
