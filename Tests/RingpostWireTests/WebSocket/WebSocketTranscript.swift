// Builds frames by hand, right and wrong ones, and renders what the decoder says as lines of text.

import NIOCore
import RingpostWire

/// A frame, every bit of which a test can choose.
struct RawFrame {
    var first: UInt8
    var payload: [UInt8] = []
    var maskKey: UInt32? = 0xA1B2_C3D4
    /// How the length is written: 7, 16 or 64 bits; nil for the shortest.
    var lengthBits: Int?
    /// The length that is announced, where it isn't the payload's.
    var announced: UInt64?

    var bytes: [UInt8] {
        let length = announced ?? UInt64(payload.count)
        let bits = lengthBits ?? (length <= 125 ? 7 : length <= 0xFFFF ? 16 : 64)
        let maskBit: UInt8 = maskKey == nil ? 0 : 0x80
        var output = [first, maskBit | (bits == 7 ? UInt8(length) : bits == 16 ? 126 : 127)]
        if bits == 16 { output += withUnsafeBytes(of: UInt16(length).bigEndian, Array.init) }
        if bits == 64 { output += withUnsafeBytes(of: length.bigEndian, Array.init) }
        guard let maskKey else { return output + payload }
        let key = withUnsafeBytes(of: maskKey.bigEndian, Array.init)
        output += key
        // Byte by byte as RFC 6455 5.3 says it, to hold the decoder's words of eight bytes against it.
        return output + payload.enumerated().map { $1 ^ key[$0 % 4] }
    }

    static func text(_ text: String, first: UInt8 = 0x81) -> [UInt8] {
        RawFrame(first: first, payload: Array(text.utf8)).bytes
    }
}

/// What a decoder makes of a stream that arrives in `pieces`; an error is the last line.
func webSocketTranscript(
    _ pieces: [ArraySlice<UInt8>], role: WebSocketDecoder.Role = .server, messageBytesMax: Int = 65_536
) -> [String] {
    var decoder = WebSocketDecoder(role: role, messageBytesMax: messageBytesMax)
    var buffer = ByteBuffer()
    var lines: [String] = []
    for piece in pieces {
        buffer.writeBytes(piece)
        do throws(WebSocketError) {
            while let event = try decoder.next(&buffer) { lines.append(line(event)) }
        } catch {
            return lines + ["\(error.closeCode) \(error.message)"]
        }
    }
    return lines
}

private func line(_ event: WebSocketEvent) -> String {
    switch event {
    case .text(let bytes): "text \(String(buffer: bytes))"
    case .binary(let bytes): "binary \(Array(bytes.readableBytesView))"
    case .ping(let bytes): "ping \(String(buffer: bytes))"
    case .pong(let bytes): "pong \(String(buffer: bytes))"
    case .close(let code, let reason): "close \(code.map { "\($0)" } ?? "-") \(reason)"
    }
}
