// WebSocket frames, as a server reads those of clients and a client those of servers.
import NIOCore
import RingpostWire

enum FrameFuzzer {
    static let words = [
        "\u{0}\u{0}\u{0}\u{0}", "\u{1}\u{5}", "{\"subscribe\":[\"a\"]}", "\u{3}\u{28}", "ü", "\u{7e}", "\u{7f}",
    ]
    private static let messageBytesMax = 1_024

    private enum Part: Equatable {
        case event(WebSocketEvent)
        case error(WebSocketError)
        case left(Int)
    }

    static func check(_ input: UnsafeRawBufferPointer) {
        for role in [WebSocketDecoder.Role.server, .client] {
            let parts = Pieces.sameForAll(input) { decode($0, role) }
            for case .event(let event) in parts { check(event) }
            // A header of 14 bytes, or a control frame without its last byte.
            for case .left(let count) in parts { demand(count < 14 + 125, "\(count) bytes wait for more") }
        }
    }

    private static func decode(_ pieces: [UnsafeRawBufferPointer], _ role: WebSocketDecoder.Role) -> [Part] {
        var decoder = WebSocketDecoder(role: role, messageBytesMax: messageBytesMax)
        var buffer = ByteBuffer()
        var parts: [Part] = []
        for piece in pieces {
            buffer.writeBytes(piece)
            do throws(WebSocketError) {
                while let event = try decoder.next(&buffer) { parts.append(.event(event)) }
            } catch {
                demand((try? decoder.next(&buffer)) == nil, "the decoder goes on after \(error)")
                demand([1002, 1007, 1008, 1009].contains(error.closeCode) && error.message.utf8.count <= 123, "\(error) can't be said")
                return parts + [.error(error)]
            }
        }
        return parts + [.left(buffer.readableBytes)]
    }

    /// Within its bounds, and the same after another trip in both directions.
    private static func check(_ event: WebSocketEvent) {
        var plain = ByteBuffer()
        var masked = ByteBuffer()
        switch event {
        case .text(let bytes):
            demand(bytes.readableBytes <= messageBytesMax, "a text of \(bytes.readableBytes) bytes")
            demand(bytes.withUnsafeReadableBytes { UTF8Check.isValid($0) }, "a text that is no UTF-8")
            WebSocketEncoder.writeText(bytes, into: &plain)
            WebSocketEncoder.writeMasked(.text, bytes, maskKey: 0xA1B2_C3D4, into: &masked)
        case .binary(let bytes):
            demand(bytes.readableBytes <= messageBytesMax, "a message of \(bytes.readableBytes) bytes")
            WebSocketEncoder.writeBinary(bytes, into: &plain)
            WebSocketEncoder.writeMasked(.binary, bytes, maskKey: 0xA1B2_C3D4, into: &masked)
        case .ping(let bytes):
            demand(bytes.readableBytes <= 125, "a ping of \(bytes.readableBytes) bytes")
            WebSocketEncoder.writePing(bytes, into: &plain)
            WebSocketEncoder.writeMasked(.ping, bytes, maskKey: 0xA1B2_C3D4, into: &masked)
        case .pong(let bytes):
            demand(bytes.readableBytes <= 125, "a pong of \(bytes.readableBytes) bytes")
            WebSocketEncoder.writePong(bytes, into: &plain)
            WebSocketEncoder.writeMasked(.pong, bytes, maskKey: 0xA1B2_C3D4, into: &masked)
        case .close(let code, let reason):
            demand(reason.utf8.count <= 123, "a reason of \(reason.utf8.count) bytes")
            guard let code else { return demand(reason.isEmpty, "a reason without a code") }
            WebSocketEncoder.writeClose(code: code, reason: reason, into: &plain)
            WebSocketEncoder.writeMaskedClose(code: code, reason: reason, maskKey: 0xA1B2_C3D4, into: &masked)
        }
        demand(decode([plain], .client) == [.event(event), .left(0)], "a client reads \(event) as something else")
        demand(decode([masked], .server) == [.event(event), .left(0)], "a server reads \(event) as something else")
    }

    private static func decode(_ buffers: [ByteBuffer], _ role: WebSocketDecoder.Role) -> [Part] {
        buffers[0].withUnsafeReadableBytes { bytes in decode([bytes], role) }
    }
}
