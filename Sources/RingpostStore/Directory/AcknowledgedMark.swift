// Up to which change of the database somebody was told that it is there. RocksDB cuts an unfinished end of its log, and can't tell it from a
// log that was cut, or is missing: both look like a database that has just not come further. So the number of the last change is written
// beside it after each batch, without waiting for the disk: after a process has died it is exact, and after the machine has gone down it is
// what the disk has of it, which may be less than was acknowledged, and never more.
import Glibc
import RingpostCore

/// An open mark. Used by one thread at a time.
final class AcknowledgedMark: Sendable {
    private let file: Int32
    /// The number and its sum.
    private static let size = 16

    /// - Returns: the number in the mark; `nil` when there is none, or a damaged one.
    /// - Throws: when that can't be told.
    static func read(_ path: String, in directory: String) throws(StoreRefusal) -> UInt64? {
        let bytes: [UInt8]
        switch StoreFile.read(path) {
        case .whole(let read): bytes = read
        case .tooLarge, .failed(ENOENT): return nil
        case .failed(let code): throw StoreRefusal(errno: code, doing: "read its file acknowledged", directory)
        }
        guard bytes.count == size else { return nil }
        let (number, sum) = bytes.withUnsafeBytes {
            (UInt64(bigEndian: $0.loadUnaligned(as: UInt64.self)), UInt64(bigEndian: $0.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
        }
        return sum == self.sum(of: number) ? number : nil
    }

    /// Opens the mark, and sets it. From then on the disk has a place for it.
    init(_ path: String, _ number: UInt64, in directory: String) throws(StoreRefusal) {
        let file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw StoreRefusal(errno: errno, doing: "write \(path)", directory) }
        self.file = file
        // From here on, whatever goes wrong, the file is closed with this object.
        var failure = StoreFile.writeAll(Self.bytes(number), to: file, at: 0)
        // One of another length is damaged, and would stay so.
        if failure == 0, ftruncate(file, Self.size) != 0 { failure = errno }
        if failure == 0, fsync(file) != 0 { failure = errno }
        if failure != 0 { throw StoreRefusal(errno: failure, doing: "write \(path)", directory) }
    }

    deinit { close(file) }

    /// Everything up to this change is there. Returns 0, or what went wrong.
    func set(_ number: UInt64) -> Int32 { StoreFile.writeAll(Self.bytes(number), to: file, at: 0) }

    private static func bytes(_ number: UInt64) -> [UInt8] {
        [number, sum(of: number)].flatMap { word in withUnsafeBytes(of: word.bigEndian) { Array($0) } }
    }

    /// So that a mark of zeros, or half of one, is none.
    private static func sum(of number: UInt64) -> UInt64 { ~number &* 0x9E37_79B9_7F4A_7C15 }
}
