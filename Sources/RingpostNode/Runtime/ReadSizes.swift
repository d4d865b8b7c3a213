// How much is read from a socket at once: little at first, because a pooled read buffer stays with its socket for good and most sockets
// are idle, then more as long as reads fill their buffers, and less again when they don't.
//
// NIO's own allocator does that as well, but takes a box a socket; this is small enough to stand where it is used. And NIO makes each first
// buffer twice, because it has two names for it when it writes into it: a first buffer that all sockets share is made but once.
import NIOCore

struct ReadSizes: RecvByteBufferAllocator {
    /// What an HTTP request's head, or a few frames, fit into.
    static let firstBytes = 256

    /// Shared by all sockets, and copied by whoever writes into it.
    private final class FirstBuffer: Sendable {
        let bytes = ByteBufferAllocator().buffer(capacity: ReadSizes.firstBytes)
    }

    private let first: FirstBuffer
    private let mostBytes: Int32
    private var bytes = Int32(ReadSizes.firstBytes)
    /// The last read took less than half of its buffer.
    private var wasSmall = false

    /// - Parameter most: what is read from a socket before others have their turn, in bytes.
    init(most: Int) {
        first = FirstBuffer()
        mostBytes = Int32(clamping: max(most, Self.firstBytes))
    }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        bytes == Int32(Self.firstBytes) ? first.bytes : allocator.buffer(capacity: Int(bytes))
    }

    func nextBufferSize() -> Int? { Int(bytes) }

    /// One large read does not come alone; a small one may.
    mutating func record(actualReadBytes: Int) -> Bool {
        if actualReadBytes >= bytes {
            wasSmall = false
            guard bytes < mostBytes else { return false }
            bytes = min(2 * bytes, mostBytes)
            return true
        }
        let isSmall = 2 * actualReadBytes <= bytes
        if isSmall, wasSmall { bytes = max(bytes / 2, Int32(Self.firstBytes)) }
        wasSmall = isSmall && !wasSmall
        return false
    }
}
