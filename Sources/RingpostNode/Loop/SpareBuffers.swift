// Buffers that sockets of one event loop fill and send, over and over: what one tick has sent, the next one writes into, and nothing is
// allocated for a message on its way out.
import NIOCore

struct SpareBuffers {
    /// Buffers that are kept; more are let go.
    static let countMax = 256
    /// What a kept buffer may have grown to, in bytes.
    static let capacityMax = 16_384
    /// What a new one begins with: a short message in its frame.
    private static let capacityMin = 512

    private var buffers: [ByteBuffer] = []

    /// An empty buffer.
    mutating func take() -> ByteBuffer {
        guard var buffer = buffers.popLast() else { return ByteBufferAllocator().buffer(capacity: Self.capacityMin) }
        // Only here nobody else holds it any more: earlier this would copy.
        buffer.clear()
        return buffer
    }

    /// Takes back one whose bytes nobody else holds.
    mutating func giveBack(_ buffer: ByteBuffer) {
        if buffers.count < Self.countMax, buffer.storageCapacity <= Self.capacityMax { buffers.append(buffer) }
    }
}
