// A thread's heap, made ready for its sockets. The C library makes the heap of any thread but the first larger a page at a time, each with a
// system call that allows the page to be written (glibc's malloc/arena.c, `grow_heap`), and a socket takes about a page. What has been
// allowed once stays allowed, though its memory is given back: so it is allowed for all of the heap at the start.
import Glibc

enum ThreadHeap {
    /// Such a heap ends at 64 MiB; what is beyond comes from another one.
    private static let bytes = 60 << 20
    /// Below what the library takes from elsewhere.
    private static let blockBytes = 120 << 10

    /// On the thread itself, before it has much: the memory is not touched, and no more resident than before.
    static func makeReady() {
        let blocks = (0..<bytes / blockBytes).map { _ in malloc(blockBytes) }
        for block in blocks.reversed() { free(block) }
    }
}
