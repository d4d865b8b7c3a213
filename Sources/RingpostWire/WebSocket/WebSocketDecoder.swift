// Frames in, messages out (RFC 6455 5 and 8). The payload of a message is read as it arrives, never waited for: its text
// is checked so far, and a bad one is refused before the rest has come.

import NIOCore

/// What a peer said.
public enum WebSocketEvent: Sendable, Equatable {
    /// A whole message of well-formed UTF-8.
    case text(ByteBuffer)
    /// A whole message.
    case binary(ByteBuffer)
    /// To be answered with a pong of the same payload, at most 125 bytes.
    case ping(ByteBuffer)
    /// An answer to a ping, or unasked.
    case pong(ByteBuffer)
    /// The peer will send nothing more; what it sends nevertheless is dropped. The code is absent from an empty close frame.
    case close(code: UInt16?, reason: String)
}

/// Decodes one direction of one WebSocket connection.
///
/// Feed it one buffer: append what arrives, and call ``next(_:)`` until it returns nil.
public struct WebSocketDecoder: Sendable {
    /// Which side decodes. Servers insist on masks and clients on none (RFC 6455 5.1).
    public enum Role: Sendable {
        case server, client
    }

    /// Frames of one message, empty ones included, or else a message could take forever without becoming too big. Beyond: 1008.
    public static let fragmentCountMax = 1_024

    private enum State {
        /// Before or in a header. Can transition to `payload`, `control` and `closed`.
        case header
        /// In a data frame of which so many bytes are missing. Can transition to `header`.
        case payload(remaining: Int, isFinal: Bool, mask: WebSocketMask?)
        /// Before a control frame's payload, which is taken in one piece. Can transition to `header` and `closed`.
        case control(WebSocketOpcode, length: Int, mask: WebSocketMask?)
        /// The peer has closed; whatever follows is dropped.
        case closed
        /// Refused; the same error comes again. Reached from every state but `closed`.
        case failed(WebSocketError)
    }

    private let messageBytesMax: Int
    /// A message that has begun and not ended: it outlives frames, and control frames come in between.
    private var message: WebSocketMessage?
    private var state = State.header
    private let role: Role

    /// Starts after the opening handshake.
    /// - Parameter messageBytesMax: the longest message, in bytes over all its frames. Beyond: 1009, as soon as the header
    ///   that announces the excess has come.
    public init(role: Role, messageBytesMax: Int = 65_536) {
        self.role = role
        self.messageBytesMax = messageBytesMax
    }

    /// The next event, or nil if `buffer` has not enough bytes for one.
    /// - Throws: why the stream is refused, now and at every later call.
    public mutating func next(_ buffer: inout ByteBuffer) throws(WebSocketError) -> WebSocketEvent? {
        do throws(WebSocketError) {
            while true {
                switch state {
                case .header:
                    guard try readHeader(&buffer) else { return nil }
                case .payload(let remaining, let isFinal, let mask):
                    if let event = try readPayload(&buffer, remaining: remaining, isFinal: isFinal, mask: mask) { return event }
                    if case .payload = state { return nil }
                case .control(let opcode, let length, let mask):
                    guard let payload = Self.readBytes(&buffer, length: length, mask: mask) else { return nil }
                    state = opcode == .close ? .closed : .header
                    return try Self.controlEvent(opcode, payload)
                case .closed:
                    buffer.moveReaderIndex(to: buffer.writerIndex)
                    return nil
                case .failed(let error): throw error
                }
            }
        } catch {
            state = .failed(error)
            message = nil
            throw error
        }
    }

    /// Reads a header and opens or continues the message that it belongs to. False if more bytes are needed.
    private mutating func readHeader(_ buffer: inout ByteBuffer) throws(WebSocketError) -> Bool {
        let context = WebSocketHeader.Context(
            role: role, isInMessage: message != nil, messageBytesLeft: messageBytesMax - (message?.bytes.readableBytes ?? 0))
        let parsed = buffer.withUnsafeReadableBytes { bytes -> Result<WebSocketHeader?, WebSocketError> in
            do throws(WebSocketError) { return .success(try WebSocketHeader.parse(bytes, context)) } catch { return .failure(error) }
        }
        guard let header = try parsed.get() else { return false }
        switch header.opcode {
        case .text, .binary: message = WebSocketMessage(isText: header.opcode == .text)
        case .continuation:
            let frameCount = (message?.frameCount ?? 0) + 1
            guard frameCount <= Self.fragmentCountMax else { throw .tooManyFragments }
            message?.frameCount = frameCount
        case .close, .ping, .pong: break
        }
        buffer.moveReaderIndex(forwardBy: header.headerLength)
        if header.opcode.isControl {
            state = .control(header.opcode, length: header.payloadLength, mask: header.mask)
        } else {
            state = .payload(remaining: header.payloadLength, isFinal: header.isFinal, mask: header.mask)
        }
        return true
    }

    /// Reads the bytes of a data frame that have arrived. Nil with the state still `payload` means that more bytes are needed; nil with
    /// another state, that the frame is complete and its message is not.
    private mutating func readPayload(
        _ buffer: inout ByteBuffer, remaining: Int, isFinal: Bool, mask: WebSocketMask?
    ) throws(WebSocketError) -> WebSocketEvent? {
        guard var message = self.message else { preconditionFailure("a payload of \(remaining) bytes belongs to no message") }
        self.message = nil
        let count = min(remaining, buffer.readableBytes)
        var mask = mask
        let isValid = message.append(&buffer, count: count, mask: &mask)
        guard isValid else { throw .invalidText }
        guard count == remaining else {
            state = .payload(remaining: remaining - count, isFinal: isFinal, mask: mask)
            self.message = message
            return nil
        }
        state = .header
        guard isFinal else {
            self.message = message
            return nil
        }
        guard message.mayEnd else { throw .invalidText }
        return message.isText ? .text(message.bytes) : .binary(message.bytes)
    }

    /// Reads `length` bytes from the buffer, unmasked; nil if they aren't all there.
    private static func readBytes(_ buffer: inout ByteBuffer, length: Int, mask: WebSocketMask?) -> ByteBuffer? {
        guard buffer.readableBytes >= length else { return nil }
        guard var mask else { return buffer.readSlice(length: length) }
        var bytes = ByteBuffer()
        bytes.appendUnmasked(&buffer, count: length, mask: &mask)
        return bytes
    }

    private static func controlEvent(_ opcode: WebSocketOpcode, _ payload: ByteBuffer) throws(WebSocketError) -> WebSocketEvent {
        switch opcode {
        case .ping: return .ping(payload)
        case .pong: return .pong(payload)
        default: return try closeEvent(payload)
        }
    }

    /// RFC 6455 5.5.1 and 7.4.
    private static func closeEvent(_ payload: ByteBuffer) throws(WebSocketError) -> WebSocketEvent {
        guard payload.readableBytes > 0 else { return .close(code: nil, reason: "") }
        var payload = payload
        guard let code = payload.readInteger(as: UInt16.self) else { throw .shortClose }
        guard WebSocketCloseCode.maySend(code) else { throw .badCloseCode }
        guard payload.withUnsafeReadableBytes({ UTF8Check.isValid($0) }) else { throw .invalidText }
        return .close(code: code, reason: String(buffer: payload))
    }
}
