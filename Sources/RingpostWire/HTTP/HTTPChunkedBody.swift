// Takes the chunked coding off a body (RFC 9112 7.1). Extensions and trailers are checked, bounded and dropped: nothing
// here acts on them, and passing them on is how things get smuggled.

import NIOCore

/// A chunked body that is under way.
struct HTTPChunkedBody: Sendable {
    private enum Phase {
        /// Before or in the line that announces a chunk. Can transition to `data` and `trailers`.
        case size
        /// In a chunk of which so many bytes are missing. Can transition to `dataEnd`.
        case data(remaining: Int)
        /// Before the CR LF after a chunk's data. Can transition to `size`.
        case dataEnd
        /// After the last chunk, up to the empty line.
        case trailers
    }

    private var phase = Phase.size
    private var bodyBytes = 0
    private var extensionBytes = 0
    private var trailerBytes = 0
    private var trailerCount = 0
    /// No line end before this offset in the buffer is left to find.
    private var searched = 0

    /// What one step came to.
    enum Progress {
        case more
        case data(ByteBuffer)
        case finished
    }

    /// Goes on until there is data, the body's end, or no further byte to use.
    mutating func next(_ buffer: inout ByteBuffer, limits: HTTPLimits) throws(HTTPRequestError) -> Progress {
        while true {
            switch phase {
            case .size:
                guard let size = try takeSize(&buffer) else { return .more }
                guard size <= UInt64(max(0, limits.bodyBytesMax - bodyBytes)) else { throw .bodyTooLarge }
                bodyBytes += Int(size)
                phase = size == 0 ? .trailers : .data(remaining: Int(size))
            case .data(let remaining):
                guard let data = buffer.readSlice(length: min(remaining, buffer.readableBytes)), data.readableBytes > 0
                else { return .more }
                let missing = remaining - data.readableBytes
                phase = missing == 0 ? .dataEnd : .data(remaining: missing)
                return .data(data)
            case .dataEnd:
                let isThere = try withReadableBytes(of: buffer) { bytes throws(HTTPRequestError) in
                    if bytes.count > 0, bytes[0] != 0x0D { throw .badChunkEnd }
                    if bytes.count > 1, bytes[1] != 0x0A { throw .badChunkEnd }
                    return bytes.count > 1
                }
                guard isThere else { return .more }
                buffer.moveReaderIndex(forwardBy: 2)
                phase = .size
            case .trailers:
                guard let line = try lineEnd(buffer, max: HTTPLimits.trailerBytesMax - trailerBytes, beyond: .trailersTooLong) else {
                    return .more
                }
                if line > 0 { try checkTrailer(buffer, line: line) }
                buffer.moveReaderIndex(forwardBy: line + 2)
                if line == 0 { return .finished }
            }
        }
    }

    /// The length of the line that the buffer begins with, without its CR LF; nil if more bytes are needed.
    private mutating func lineEnd(_ buffer: ByteBuffer, max: Int, beyond error: HTTPRequestError) throws(HTTPRequestError) -> Int? {
        let window = max + 2
        let start = searched
        let search = try withReadableBytes(of: buffer) { bytes throws(HTTPRequestError) in
            try HTTPLineSearch.find(bytes, from: start, to: min(bytes.count, window))
        }
        switch search {
        case .found(let end):
            searched = 0
            return end
        case .incomplete(let resumeAt):
            guard buffer.readableBytes < window else { throw error }
            searched = resumeAt
            return nil
        }
    }

    private mutating func takeSize(_ buffer: inout ByteBuffer) throws(HTTPRequestError) -> UInt64? {
        guard let end = try lineEnd(buffer, max: HTTPLimits.chunkLineBytesMax, beyond: .chunkLineTooLong) else { return nil }
        let (size, digitCount) = try withReadableBytes(of: buffer) { bytes throws(HTTPRequestError) in
            try Self.parseSize(bytes.slice(0..<end))
        }
        extensionBytes += end - digitCount
        guard extensionBytes <= HTTPLimits.chunkExtensionBytesMax else { throw .chunkExtensionsTooLong }
        buffer.moveReaderIndex(forwardBy: end + 2)
        return size
    }

    /// `1*HEXDIG` and extensions. Sixteen digits at most, which is what 64 bits hold.
    private static func parseSize(_ line: UnsafeRawBufferPointer) throws(HTTPRequestError) -> (size: UInt64, digitCount: Int) {
        var size: UInt64 = 0
        var index = 0
        while index < line.count, let digit = HexDigit.value(line[index]) {
            guard index < 16 else { throw .badChunkSize }
            size = size << 4 | UInt64(digit)
            index += 1
        }
        guard index > 0 else { throw .badChunkSize }
        let digitCount = index
        while index < line.count, line[index].isSpaceOrTab { index += 1 }
        guard digitCount == line.count || index < line.count && line[index] == UInt8(ascii: ";") else { throw .badChunkSize }
        guard HTTPChunkExtensions.areValid(line.slice(digitCount..<line.count)) else { throw .badChunkExtension }
        return (size, digitCount)
    }

    private mutating func checkTrailer(_ buffer: ByteBuffer, line: Int) throws(HTTPRequestError) {
        trailerBytes += line + 2
        trailerCount += 1
        guard trailerBytes <= HTTPLimits.trailerBytesMax, trailerCount <= HTTPLimits.headerCountMax else { throw .trailersTooLong }
        try withReadableBytes(of: buffer) { bytes throws(HTTPRequestError) in _ = try HTTPHeaderLine(bytes, line: 0..<line) }
    }
}
