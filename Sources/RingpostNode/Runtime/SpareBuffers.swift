// Buffers that the connections of one shard fill and send, over and over: a buffer that one turn has sent, the next one writes into, and
// nothing is allocated for a message on its way out.
import NIOCore

struct SpareBuffers {
    /// Buffers that are kept; more are let go.
    static let countMax = 256
    /// What a kept buffer may have grown to, in bytes.
    static let capacityMax = 16_384
    /// What a new one begins with: a short message in its frame.
    private static let capacityMin = 512
    /// Buffers that links write into. A turn fills one with far more than the others ever hold, so that a small one would have to grow each
    /// time.
    static let largeCountMax = 4
    /// What these may have grown to, in bytes.
    static let largeCapacityMax = 1_024 * 1_024

    private var buffers: [ByteBuffer] = []
    private var large: [ByteBuffer] = []

    /// An empty buffer.
    ///
    /// - Parameter writesMuch: for a link.
    mutating func popBuffer(writesMuch: Bool = false) -> ByteBuffer {
        let spare = writesMuch ? large.popLast() ?? buffers.popLast() : buffers.popLast()
        guard var buffer = spare else { return ByteBufferAllocator().buffer(capacity: Self.capacityMin) }
        // Only here nobody else holds it any more: earlier this would copy.
        buffer.clear()
        return buffer
    }

    /// Keeps a buffer whose bytes nobody else holds.
    mutating func append(_ buffer: ByteBuffer) {
        if buffer.storageCapacity <= Self.capacityMax {
            if buffers.count < Self.countMax { buffers.append(buffer) }
        } else if large.count < Self.largeCountMax, buffer.storageCapacity <= Self.largeCapacityMax {
            large.append(buffer)
        }
    }
}
