// Frames between nodes, and between producers and nodes. What is decoded can be encoded again, and says the same then.
import NIOCore
import RingpostWire

enum LinkFuzzer {
    static let words = [
        "RPL1", "\u{1}\u{0}\u{0}\u{0}", "\u{10}\u{0}\u{0}\u{0}\u{12}", "u\u{3}\u{0}ann", "\u{2}\u{0}n1",
        "\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{40}",
        "{\"id\":\"n1\",\"boot\":\"", "\u{7f}",
    ]

    private enum Part: Equatable {
        case frame(LinkFrame)
        case error(LinkError)
        case left(Int)
    }

    static func check(_ input: UnsafeRawBufferPointer) {
        // Strangers first: their frames are short, whatever they announce.
        for case .left(let count) in Pieces.sameForAll(input, { decode($0, frameBytesMax: LinkProtocol.handshakeBytesMax) }) {
            demand(count < 4 + LinkProtocol.handshakeBytesMax, "\(count) bytes of a stranger wait for more")
        }
        for case .frame(let frame) in Pieces.sameForAll(input, { decode($0, frameBytesMax: LinkProtocol.frameBytesMax) }) { check(frame) }
    }

    private static func decode(_ pieces: [UnsafeRawBufferPointer], frameBytesMax: Int) -> [Part] {
        var decoder = LinkDecoder()
        decoder.frameBytesMax = frameBytesMax
        var buffer = ByteBuffer()
        var parts: [Part] = []
        for piece in pieces {
            buffer.writeBytes(piece)
            do throws(LinkError) {
                while let frame = try next(&buffer, decoder) { parts.append(.frame(frame)) }
            } catch {
                demand(!error.description.isEmpty, "an error that says nothing")
                return parts + [.error(error)]
            }
        }
        return parts + [.left(buffer.readableBytes)]
    }

    /// The most frequent frames have a shorter way, which must come to the same.
    private static func next(_ buffer: inout ByteBuffer, _ decoder: LinkDecoder) throws(LinkError) -> LinkFrame? {
        var rest = buffer
        let short =
            decoder.nextForward(&rest).map(LinkFrame.forward)
            ?? decoder.nextReceipt(&rest).map { .answer(request: $0.request, .success($0.receipt), message: nil) }
        let frame: LinkFrame?
        do throws(LinkError) { frame = try decoder.next(&buffer) } catch {
            demand(short == nil, "what can't be read is \(String(describing: short)) in short")
            throw error
        }
        switch frame {
        case .forward, .answer(_, .success, _):
            demand(short == frame && rest == buffer, "\(String(describing: frame)) is \(String(describing: short)) in short")
        default: demand(short == nil, "\(String(describing: frame)) is \(String(describing: short)) in short")
        }
        return frame
    }

    private static func check(_ frame: LinkFrame) {
        var once = ByteBuffer()
        LinkEncoder.write(frame, into: &once)
        guard case .frame(let again)? = decode(once).first, decode(once) == [.frame(again), .left(0)] else {
            // A list of members that is too long for a frame is left out.
            if case .members = frame, once.readableBytes == 0 { return }
            return demand(false, "\(frame) can't be read again")
        }
        if case .refuse = frame {
            // Its sentence is cut to what a stranger may read.
        } else {
            demand(again == frame, "\(frame) becomes \(again)")
        }
        var twice = ByteBuffer()
        LinkEncoder.write(again, into: &twice)
        demand(twice == once, "\(again) has two spellings")
    }

    private static func decode(_ buffer: ByteBuffer) -> [Part] {
        buffer.withUnsafeReadableBytes { decode([$0], frameBytesMax: LinkProtocol.frameBytesMax) }
    }
}
