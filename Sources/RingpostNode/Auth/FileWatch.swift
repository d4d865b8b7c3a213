// Looks at files that may change while the node runs: certificates, keys, secrets. One look a second for all of them, by time, size and
// inode, because a new file may be moved into an old one's place. What has changed is read only when two looks in a row agree, so that a
// file that is being written, or a certificate whose key is not there yet, is not taken for broken.
import Glibc
import Synchronization

/// Calls back when files change.
public final class FileWatch: Sendable {
    /// Between two looks.
    public static let lookMilliseconds = 1_000
    /// Entries of one directory that are looked at; what is beyond is not noticed.
    public static let entriesMax = 1_024

    private struct Watch {
        let paths: [String]
        var settling: Settling<[FileStamp]>
        let onChange: @Sendable () -> Void
    }

    private let watches = Mutex<[Watch]>([])

    /// Watches nothing yet.
    public init() {}

    /// Watches files together: one change of any, or of several at once, is one call.
    ///
    /// - Parameters:
    ///   - paths: files, or directories, which count by their entries. They need not be there.
    ///   - onChange: reads them anew; called on the watch's task or by ``reloadNow()``, one call at a time for each.
    public func add(paths: [String], onChange: @escaping @Sendable () -> Void) {
        let settling = Settling(Self.stamps(paths))
        watches.withLock { $0.append(Watch(paths: paths, settling: settling, onChange: onChange)) }
    }

    /// Everything is read anew, changed or not: what an operator means by SIGHUP.
    public func reloadNow() {
        for onChange in watches.withLock({ $0.map(\.onChange) }) { onChange() }
    }

    /// Looks until the task is cancelled.
    public func run() async {
        while (try? await Task.sleep(for: .milliseconds(Self.lookMilliseconds))) != nil { look() }
    }

    func look() {
        // Read outside the lock: a slow file system must not hold up who adds one.
        let seen = watches.withLock { $0.map(\.paths) }.map(Self.stamps)
        let changed = watches.withLock { watches in
            seen.indices.compactMap { watches[$0].settling.onLook(seen[$0]) ? watches[$0].onChange : nil }
        }
        for onChange in changed { onChange() }
    }

    private static func stamps(_ paths: [String]) -> [FileStamp] {
        paths.flatMap { path -> [FileStamp] in
            let stamp = FileStamp(path)
            guard stamp.isDirectory else { return [stamp] }
            return [stamp] + entries(of: path).map { FileStamp("\(path)/\($0)") }
        }
    }

    private static func entries(of path: String) -> [String] {
        guard let directory = opendir(path) else { return [] }
        defer { closedir(directory) }
        var names: [String] = []
        while names.count < entriesMax, let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}

/// What shows that a file is another one than before.
struct FileStamp: Hashable, Sendable {
    let path: String
    private(set) var isThere = false
    private(set) var isDirectory = false
    private var inode: UInt64 = 0
    private var size: Int64 = 0
    private var seconds: Int64 = 0
    private var nanoseconds: Int64 = 0

    init(_ path: String) {
        self.path = path
        var status = stat()
        guard stat(path, &status) == 0 else { return }
        isThere = true
        isDirectory = status.st_mode & S_IFMT == S_IFDIR
        inode = UInt64(status.st_ino)
        size = Int64(status.st_size)
        seconds = Int64(status.st_mtim.tv_sec)
        nanoseconds = Int64(status.st_mtim.tv_nsec)
    }
}

/// A change counts when it has come to rest.
struct Settling<Value: Equatable & Sendable>: Sendable {
    private var known: Value
    private var last: Value

    init(_ value: Value) {
        known = value
        last = value
    }

    /// True when the value is another one than the last that counted, and the same as at the last look.
    mutating func onLook(_ value: Value) -> Bool {
        defer { last = value }
        guard value == last, value != known else { return false }
        known = value
        return true
    }
}
