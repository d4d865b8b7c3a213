// A message while it is being put together from the payloads of its frames, in whatever pieces they arrive.

import NIOCore

/// The beginning of a message.
struct WebSocketMessage: Sendable {
    private(set) var bytes = ByteBuffer()
    let isText: Bool
    /// Frames so far, empty ones included.
    var frameCount: Int32 = 1
    private var validator = UTF8Validator()

    init(isText: Bool) {
        self.isText = isText
    }

    /// Whether it could end here: a text must not end inside a character.
    var mayEnd: Bool { !isText || validator.isComplete }

    /// Moves `count` bytes from `buffer` to the message, unmasked. False if it is a text and can't be UTF-8 any more.
    mutating func append(_ buffer: inout ByteBuffer, count: Int, mask: inout WebSocketMask?) -> Bool {
        guard count > 0 else { return true }
        let start = bytes.readableBytes
        if var key = mask {
            bytes.appendUnmasked(&buffer, count: count, mask: &key)
            mask = key
        } else if start == 0, let whole = buffer.readSlice(length: count) {
            // Unmasked and at a message's beginning: shared instead of copied.
            bytes = whole
        } else if var part = buffer.readSlice(length: count) {
            bytes.writeBuffer(&part)
        }
        guard isText else { return true }
        var validator = validator
        let isValid = bytes.withUnsafeReadableBytes { validator.consume($0.slice(start..<$0.count)) }
        self.validator = validator
        return isValid
    }
}

extension ByteBuffer {
    /// Moves `count` bytes, which must be there, from `source` to the end of this buffer, unmasked on the way. Copying is
    /// dearer than unmasking where the bytes are only once: there, the messages that a program keeps would make each later
    /// frame of the same read copy the whole read.
    mutating func appendUnmasked(_ source: inout ByteBuffer, count: Int, mask: inout WebSocketMask) {
        guard count > 0 else { return }
        var turned = mask
        writeWithUnsafeMutableBytes(minimumWritableBytes: count) { target in
            source.withUnsafeReadableBytes { turned.apply($0.slice(0..<count), to: target) }
            return count
        }
        mask = turned
        source.moveReaderIndex(forwardBy: count)
    }
}
