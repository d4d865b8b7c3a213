// Finds the end of a line, and takes a header line apart: the two steps that heads and trailers share.
// Only CR LF ends a line. RFC 9112 2.2 would allow a lone LF as well; two programs that disagree about it are how
// requests get smuggled, so it is refused.

import NIOCore

/// One look for the end of a line.
enum HTTPLineSearch {
    /// No end yet; the search goes on at that index when there is more.
    case incomplete(resumeAt: Int)
    /// The line ends before the CR at that index.
    case found(end: Int)

    /// Looks for CR LF in `start ..< end`, where the bytes before `start` have been looked at already.
    @inline(__always)
    static func find(_ bytes: UnsafeRawBufferPointer, from start: Int, to end: Int) throws(HTTPRequestError) -> HTTPLineSearch {
        var index = start
        while true {
            index = WordScan.firstControl(bytes, from: index, to: end)
            if index == end { return .incomplete(resumeAt: index) }
            switch bytes[index] {
            case 0x09: index &+= 1
            case 0x0D:
                if index &+ 1 == end { return .incomplete(resumeAt: index) }
                guard bytes[index &+ 1] == 0x0A else { throw .bareCarriageReturn }
                return .found(end: index)
            case 0x0A: throw .bareLineFeed
            default: throw .controlByte
            }
        }
    }
}

/// A header line, as ranges in the head: `field-name ":" OWS field-value OWS` (RFC 9112 5).
struct HTTPHeaderLine {
    let name: Range<Int>
    let value: Range<Int>

    /// Which header it is, if it is one of those that Ringpost reads.
    let known: KnownHeader?

    /// - Parameter line: not empty, without its CR LF and without control bytes other than tabs.
    @inline(__always)
    init(_ bytes: UnsafeRawBufferPointer, line: Range<Int>) throws(HTTPRequestError) {
        let colon = WordScan.firstColon(bytes, from: line.lowerBound, to: line.upperBound)
        name = line.lowerBound..<colon
        known = KnownHeader.match(bytes.slice(name))
        // A name that is known has been compared whole; only a strange one needs to be looked at byte by byte.
        guard colon < line.upperBound, known != nil || bytes.slice(name).isToken else { throw Self.reason(bytes, line) }
        value = bytes.trimmed(colon &+ 1..<line.upperBound)
    }

    /// What is wrong with a line that doesn't begin with a name and a colon.
    private static func reason(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) -> HTTPRequestError {
        let first = bytes[line.lowerBound]
        if first.isSpaceOrTab { return .foldedHeader }
        if first == UInt8(ascii: ":") { return .emptyHeaderName }
        let end = line.first { !ASCIISet.token.contains(bytes[$0]) }
        return end.map { bytes[$0].isSpaceOrTab } == true ? .spaceBeforeColon : .badHeaderName
    }
}

/// Runs `body` on the readable bytes. It exists because `withUnsafeReadableBytes` can't pass a typed error on.
@inline(__always)
func withReadableBytes<Value>(
    of buffer: ByteBuffer, _ body: (UnsafeRawBufferPointer) throws(HTTPRequestError) -> Value
) throws(HTTPRequestError) -> Value {
    let result = buffer.withUnsafeReadableBytes { bytes -> Result<Value, HTTPRequestError> in
        do throws(HTTPRequestError) { return .success(try body(bytes)) } catch { return .failure(error) }
    }
    return try result.get()
}
