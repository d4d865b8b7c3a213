// Parses a head line by line, as the lines arrive. Each byte is searched once for the line's end and each line is
// parsed once, however the head is cut into packets; a bad line is refused as soon as it is complete.

/// The head so far. It keeps offsets from the head's first byte, which stays the buffer's first readable byte until the
/// head is complete.
struct HTTPHeadScanner: Sendable {
    /// What the head says so far.
    private(set) var fields = HTTPHeadFields()
    /// No line end before this offset is left to find.
    private var searched = 0
    private var lineStart = 0
    private var emptyLineCount = 0
    private var headerCount = 0
    private var hasRequestLine = false

    /// Goes on with a head of which `bytes` are there now. Returns the head's length once it is complete; nil means that
    /// more bytes are needed.
    ///
    /// What lies beyond a limit is never looked at, so that a request fails in the same way however it is cut.
    mutating func advance(_ bytes: UnsafeRawBufferPointer, limits: HTTPLimits) throws(HTTPRequestError) -> Int? {
        while true {
            let window = hasRequestLine ? limits.headBytesMax : min(limits.headBytesMax, lineStart + HTTPLimits.requestLineBytesMax + 2)
            let lineEnd: Int
            switch try HTTPLineSearch.find(bytes, from: searched, to: min(bytes.count, window)) {
            case .incomplete(let resumeAt):
                searched = resumeAt
                guard bytes.count < window else { throw hasRequestLine ? .headTooLong : .targetTooLong }
                return nil
            case .found(let end): lineEnd = end
            }
            let line = lineStart..<lineEnd
            lineStart = lineEnd &+ 2
            searched = lineStart
            if !hasRequestLine {
                try takeFirstLine(bytes, line)
            } else if line.isEmpty {
                try fields.takeFraming(bytes.slice(0..<lineStart), limits: limits)
                return lineStart
            } else {
                try takeHeader(bytes, line, limits)
            }
        }
    }

    private mutating func takeFirstLine(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) throws(HTTPRequestError) {
        if line.isEmpty {
            emptyLineCount += 1
            guard emptyLineCount <= HTTPLimits.leadingEmptyLinesMax else { throw .tooManyEmptyLines }
        } else {
            try fields.takeRequestLine(bytes, line)
            hasRequestLine = true
        }
    }

    @inline(__always)
    private mutating func takeHeader(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>, _ limits: HTTPLimits) throws(HTTPRequestError) {
        headerCount &+= 1
        guard headerCount <= limits.headerCountMax else { throw .tooManyHeaders }
        let header = try HTTPHeaderLine(bytes, line: line)
        if let known = header.known { try fields.note(known, header.value) }
    }
}
