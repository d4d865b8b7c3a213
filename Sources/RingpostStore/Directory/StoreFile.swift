// Small files, read and written whole.
import Glibc

enum StoreFile {
    /// What an identity has at most; a file that is larger is none.
    static let bytesMax = 1_024 * 1_024

    /// What came of reading a file.
    enum Content: Equatable {
        case whole([UInt8])
        /// It has more than ``bytesMax``.
        case tooLarge
        /// Nobody knows what is in it: that is no proof that anything was lost, unless it is `ENOENT`.
        case failed(Int32)
    }

    /// Reads all of a file.
    static func read(_ path: String) -> Content {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return .failed(errno) }
        defer { close(file) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16 * 1_024)
        while bytes.count <= bytesMax {
            let count = buffer.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress, $0.count) }
            if count < 0, errno != EINTR { return .failed(errno) }
            if count == 0 { return .whole(bytes) }
            bytes += buffer[..<max(0, count)]
        }
        return .tooLarge
    }

    /// Puts a file in the place of another one of that name: afterwards the disk has the whole new one, and before it the whole old one.
    static func replace(_ name: String, in directory: String, by bytes: [UInt8]) throws(StoreRefusal) {
        let (path, fresh) = ("\(directory)/\(name)", "\(directory)/\(name).new")
        let file = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw StoreRefusal(errno: errno, doing: "write \(name)", directory) }
        var failure = writeAll(bytes, to: file, at: 0)
        if failure == 0, fsync(file) != 0 { failure = errno }
        if close(file) != 0, failure == 0 { failure = errno }
        if failure == 0, rename(fresh, path) != 0 { failure = errno }
        if failure == 0 { failure = sync(directory) } else { unlink(fresh) }
        if failure != 0 { throw StoreRefusal(errno: failure, doing: "write \(name)", directory) }
    }

    /// - Returns: 0, or what went wrong.
    static func writeAll(_ bytes: [UInt8], to file: Int32, at offset: Int) -> Int32 {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes { pwrite(file, $0.baseAddress?.advanced(by: written), $0.count - written, offset + written) }
            if count < 0, errno != EINTR { return errno }
            if count == 0 { return EIO }
            written += max(0, count)
        }
        return 0
    }

    /// The disk has the names in a directory. Returns 0, or what went wrong.
    static func sync(_ directory: String) -> Int32 {
        let folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { return errno }
        defer { close(folder) }
        return fsync(folder) == 0 ? 0 : errno
    }
}
