// Bytes that wait for a slow connection: large pieces that many connections wait for are held once for all of them, small ones are joined.
import DequeModule
import NIOCore

final class Backlog {
    /// Fewer bytes are sooner copied than held.
    static let sharedBytesMin = 1_024

    private var pieces: Deque<(bytes: ByteBuffer, isShared: Bool)> = []
    /// All of it.
    private(set) var bytes = 0

    func append(shared piece: ByteBuffer) {
        pieces.append((piece, true))
        bytes += piece.readableBytes
    }

    func append(_ body: (inout ByteBuffer) -> Void) {
        if pieces.last?.isShared != false { pieces.append((ByteBuffer(), false)) }
        let last = pieces.count - 1
        bytes -= pieces[last].bytes.readableBytes
        body(&pieces[last].bytes)
        bytes += pieces[last].bytes.readableBytes
    }

    func popFirst() -> (bytes: ByteBuffer, isShared: Bool)? {
        let first = pieces.popFirst()
        bytes -= first?.bytes.readableBytes ?? 0
        return first
    }
}
