// How much is read from a socket at once.
import NIOCore
import Testing

@testable import RingpostNode

@Suite struct ReadSizesTests {
    /// The next buffer's size, after reads of so many bytes.
    private func size(after reads: Int...) -> Int? {
        var sizes = ReadSizes(most: 1_000)
        for bytes in reads { _ = sizes.record(actualReadBytes: bytes) }
        return sizes.nextBufferSize()
    }

    @Test func growsWithWhatComesAndShrinksAgain() {
        #expect(size() == 256)
        // Full: there may be more.
        #expect(size(after: 256) == 512)
        #expect(size(after: 256, 512) == 1_000)
        #expect(size(after: 256, 512, 1_000) == 1_000)
        // One small read may come between large ones.
        #expect(size(after: 256, 512, 100, 900) == 1_000)
        #expect(size(after: 256, 512, 100, 100) == 500)
        #expect(size(after: 256, 512, 1, 1, 1, 1, 1, 1, 1, 1) == 256)
    }

    @Test func aFirstBufferIsNobodysToWriteInto() {
        let sizes = ReadSizes(most: 1_000)
        var mine = sizes.buffer(allocator: ByteBufferAllocator())
        #expect(mine.writableBytes == 256)
        mine.writeString("mine")
        #expect(sizes.buffer(allocator: ByteBufferAllocator()).readableBytes == 0)
        #expect(sizes.buffer(allocator: ByteBufferAllocator()).writableBytes == 256)
    }
}
