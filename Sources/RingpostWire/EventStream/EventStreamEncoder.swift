// Writes the event streams of the WHATWG (HTML 9.2, "Server-sent events"), whose lines end with LF here.

import NIOCore

/// Writes `text/event-stream`.
public enum EventStreamEncoder {
    /// Writes one event.
    ///
    /// A field of one line can't hold a line break, and an id can't hold NUL either. An `event` or `id` that has such a byte
    /// is left out *as a whole*: the client then keeps its last id, and resumes earlier rather than at a place that never was.
    /// - Parameters:
    ///   - event: the event's type; nil or empty means `message`.
    ///   - id: what the client sends as Last-Event-ID when it comes back; empty makes it forget, nil leaves it as it is.
    ///   - data: well-formed UTF-8. Each CR, LF or CR LF begins another line of data, and arrives as LF.
    public static func writeEvent(event: String? = nil, id: [UInt8]? = nil, data: UnsafeRawBufferPointer, into output: inout ByteBuffer) {
        if var event, !event.isEmpty { event.withUTF8 { writeField("event: ", UnsafeRawBufferPointer($0), into: &output) } }
        id?.withUnsafeBytes { writeField("id: ", $0, into: &output) }
        writeData(data, into: &output)
        output.writeStaticString("\n")
    }

    /// Writes the id of the event that follows.
    public static func writeID(_ id: [UInt8], into output: inout ByteBuffer) {
        id.withUnsafeBytes { writeField("id: ", $0, into: &output) }
    }

    /// Writes one event; see the other overload.
    public static func writeEvent(event: String? = nil, id: [UInt8]? = nil, data: ByteBuffer, into output: inout ByteBuffer) {
        data.withUnsafeReadableBytes { writeEvent(event: event, id: id, data: $0, into: &output) }
    }

    /// Writes one event; see the other overload.
    public static func writeEvent(event: String? = nil, id: [UInt8]? = nil, data: [UInt8], into output: inout ByteBuffer) {
        data.withUnsafeBytes { writeEvent(event: event, id: id, data: $0, into: &output) }
    }

    /// Writes a comment, which clients ignore: a sign of life. Line breaks in it become spaces.
    public static func writeComment(_ comment: String = "", into output: inout ByteBuffer) {
        output.writeStaticString(":")
        output.writeBytes(comment.utf8.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 })
        output.writeStaticString("\n\n")
    }

    /// Writes how long a client is to wait before it reconnects: a line of the event that is written next. On its own it would be a block
    /// without data, which some readers hand on as an empty message.
    /// - Parameter milliseconds: below 0 counts as 0.
    public static func writeRetry(milliseconds: Int, into output: inout ByteBuffer) {
        output.writeStaticString("retry: ")
        output.writeString(String(max(0, milliseconds)))
        output.writeStaticString("\n")
    }

    private static func writeField(_ name: StaticString, _ value: UnsafeRawBufferPointer, into output: inout ByteBuffer) {
        for byte in value where byte == 0x0A || byte == 0x0D || byte == 0x00 { return }
        output.writeStaticString(name)
        output.writeBytes(value)
        output.writeStaticString("\n")
    }

    private static func writeData(_ data: UnsafeRawBufferPointer, into output: inout ByteBuffer) {
        output.reserveCapacity(minimumWritableBytes: data.count + 8)
        var start = 0
        while true {
            let end = WordScan.firstLineBreak(data, from: start, to: data.count)
            output.writeStaticString("data: ")
            output.writeBytes(data.slice(start..<end))
            output.writeStaticString("\n")
            guard end < data.count else { return }
            let isPair = data[end] == 0x0D && end + 1 < data.count && data[end + 1] == 0x0A
            start = end + (isPair ? 2 : 1)
        }
    }
}
