// Writes bytes to a descriptor, however many calls that takes. It blocks: not for event loops.
import Glibc

enum DescriptorWriter {
    /// Writes all of them. Where the descriptor would not block, because somebody who shares a terminal or a pipe with this process has made it so
    /// for all, it waits.
    ///
    /// - Returns: how many were written; fewer than there are where no more are taken, and `errno` says why.
    static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int {
        var written = 0
        while written < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[written...])
            let count = Glibc.write(descriptor, rest.baseAddress, rest.count)
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN {
                var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&entry, 1, -1)
                continue
            }
            if count <= 0 { break }
            written += count
        }
        return written
    }
}
