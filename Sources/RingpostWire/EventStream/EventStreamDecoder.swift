// Reads event streams as the WHATWG says (HTML 9.2.6, "Interpreting an event stream"), for Ringpost's own client library.
// It differs in one thing: events have a largest size.

import NIOCore

/// What a stream said.
public enum EventStreamItem: Sendable, Equatable {
    /// An event: its type (`message` if none was given), its data as well-formed UTF-8, and the last id that the stream had
    /// given when it was dispatched.
    case event(type: String, data: [UInt8], lastEventID: String)
    /// How long to wait before reconnecting, in milliseconds.
    case retry(milliseconds: Int)
}

/// Why a stream was refused: something in it was larger than agreed.
public enum EventStreamError: Error, Equatable, Sendable {
    /// One line or one event's data has more bytes than `eventBytesMax`, which is the value.
    case eventTooLarge(bytesMax: Int)
}

/// Decodes `text/event-stream`.
///
/// Feed it one buffer: append the bytes that arrive, call ``next(_:)`` until it returns nil, and leave the bytes that it has not consumed.
/// An event that the stream's end cuts off is never returned.
public struct EventStreamDecoder: Sendable {
    private enum State {
        /// Before the first byte, where a byte order mark would be. Can transition to `lines`.
        case start
        /// Can transition to `lines(afterReturn:)` and `failed`.
        case lines(afterReturn: Bool)
        /// Refused; the same error comes again.
        case failed(EventStreamError)
    }

    /// The id of the last event that had one: what to send as Last-Event-ID when reconnecting. Empty at first.
    public private(set) var lastEventID: String

    private let eventBytesMax: Int
    private var state = State.start
    /// No line end before this offset in the buffer is left to find.
    private var searched = 0
    /// The id that the next empty line makes the last one.
    private var idBytes: [UInt8]
    private var typeBytes: [UInt8] = []
    private var data: [UInt8] = []

    /// Starts at the beginning of a response's body.
    /// - Parameters:
    ///   - lastEventID: where an earlier connection of the same stream got to.
    ///   - eventBytesMax: the longest line, and the most data of one event, in bytes.
    public init(lastEventID: String = "", eventBytesMax: Int = 262_144) {
        self.lastEventID = lastEventID
        self.idBytes = Array(lastEventID.utf8)
        self.eventBytesMax = eventBytesMax
    }

    /// The next event or instruction, or nil if `buffer` has not enough bytes for one.
    /// - Throws: that something is too large, now and at every later call.
    public mutating func next(_ buffer: inout ByteBuffer) throws(EventStreamError) -> EventStreamItem? {
        while true {
            switch state {
            case .start:
                guard skipByteOrderMark(&buffer) else { return nil }
                state = .lines(afterReturn: false)
            case .lines(let afterReturn):
                if afterReturn {
                    // The CR ended its line when it came; an LF right after it ends nothing more.
                    guard let byte = buffer.getInteger(at: buffer.readerIndex, as: UInt8.self) else { return nil }
                    if byte == 0x0A { buffer.moveReaderIndex(forwardBy: 1) }
                    state = .lines(afterReturn: false)
                }
                guard let length = try lineLength(buffer) else { return nil }
                let item = buffer.withUnsafeReadableBytes { readLine($0.slice(0..<length)) }
                let isReturn = buffer.getInteger(at: buffer.readerIndex + length, as: UInt8.self) == 0x0D
                buffer.moveReaderIndex(forwardBy: length + 1)
                state = .lines(afterReturn: isReturn)
                guard data.count <= eventBytesMax + 1 else { throw fail() }
                if let item { return item }
            case .failed(let error): throw error
            }
        }
    }

    /// False if the bytes so far could still become a byte order mark.
    private func skipByteOrderMark(_ buffer: inout ByteBuffer) -> Bool {
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let beginning = buffer.readableBytesView.prefix(mark.count)
        guard mark.starts(with: beginning) else { return true }
        guard beginning.count == mark.count else { return false }
        buffer.moveReaderIndex(forwardBy: mark.count)
        return true
    }

    private mutating func lineLength(_ buffer: ByteBuffer) throws(EventStreamError) -> Int? {
        let window = min(buffer.readableBytes, eventBytesMax + 1)
        let start = searched
        let end = buffer.withUnsafeReadableBytes { WordScan.firstLineBreak($0, from: start, to: window) }
        guard end == window else {
            searched = 0
            return end
        }
        searched = end
        guard window <= eventBytesMax else { throw fail() }
        return nil
    }

    private mutating func fail() -> EventStreamError {
        let error = EventStreamError.eventTooLarge(bytesMax: eventBytesMax)
        state = .failed(error)
        data = []
        return error
    }

    /// Takes one line without its end.
    private mutating func readLine(_ line: UnsafeRawBufferPointer) -> EventStreamItem? {
        if line.isEmpty { return dispatch() }
        let colon = line.firstIndex(of: UInt8(ascii: ":")) ?? line.count
        var valueStart = min(colon + 1, line.count)
        if valueStart < line.count, line[valueStart] == 0x20 { valueStart += 1 }
        let name = line.slice(0..<colon)
        let value = line.slice(valueStart..<line.count)
        if name.equals("data") {
            data.append(contentsOf: value)
            data.append(0x0A)
        } else if name.equals("event") {
            typeBytes = Array(value)
        } else if name.equals("id") {
            if !value.contains(0) { idBytes = Array(value) }
        } else if name.equals("retry") {
            return Self.retry(value)
        }
        // Everything else is a comment (an empty name) or a field that nobody knows.
        return nil
    }

    /// Only digits count; a number that no `Int` holds means the longest time.
    private static func retry(_ value: UnsafeRawBufferPointer) -> EventStreamItem? {
        guard !value.isEmpty, value.allSatisfy(\.isDigit) else { return nil }
        return .retry(milliseconds: Int(String(decoding: value, as: UTF8.self)) ?? .max)
    }

    private mutating func dispatch() -> EventStreamItem? {
        lastEventID = String(decoding: idBytes, as: UTF8.self)
        defer {
            data = []
            typeBytes = []
        }
        guard !data.isEmpty else { return nil }
        data.removeLast()
        let text = UTF8Check.isValid(data) ? data : Array(String(decoding: data, as: UTF8.self).utf8)
        let type = typeBytes.isEmpty ? "message" : String(decoding: typeBytes, as: UTF8.self)
        return .event(type: type, data: text, lastEventID: lastEventID)
    }
}
