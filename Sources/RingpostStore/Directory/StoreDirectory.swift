// The directory of a store: who may use it, and what it says of itself.
//
//     lock           held by the process that uses it; the process id is in it
//     identity       whose store it is
//     acknowledged   up to which change somebody was told that it is there
//     db/            the database
import Glibc
import RingpostCore

/// A directory that this process has to itself.
final class StoreDirectory {
    static let identityName = "identity"

    let path: String
    let surroundings: StoreSurroundings
    private(set) var identity: StoreIdentity
    /// It was made just now.
    let isNew: Bool
    private let lock: DirectoryLock

    var databasePath: String { "\(path)/db" }
    var markPath: String { "\(path)/acknowledged" }

    /// Takes a directory, or makes it.
    ///
    /// - Parameter lineage: the lineage of a store that is new.
    /// - Throws: when it can't be this node's; then nothing in it has changed.
    init(_ path: String, for owner: StoreOwner, durability: StoreDurability, lineage: UInt64) throws(StoreRefusal) {
        self.path = path
        try Self.makeDirectory(path)
        lock = try DirectoryLock(path)
        surroundings = try StoreSurroundings(of: path)
        if let found = try Self.readIdentity(path) {
            isNew = found.state == .new
            identity = found
            try found.check(owner, in: path)
            if !isNew { try Self.checkPlace(found, path) }
        } else {
            isNew = true
            identity = StoreIdentity(of: owner, lineage: lineage, durability: durability, at: surroundings)
            try StoreFile.replace(Self.identityName, in: path, by: Self.bytes(identity, path))
        }
        if isNew, mkdir("\(path)/db", 0o700) != 0, errno != EEXIST { throw StoreRefusal(errno: errno, doing: "make db", path) }
    }

    // MARK: Looking

    private static func makeDirectory(_ path: String) throws(StoreRefusal) {
        var found = stat()
        if stat(path, &found) == 0 {
            guard found.st_mode & S_IFMT == S_IFDIR else { throw StoreRefusal(errno: ENOTDIR, doing: "use it", path) }
            return
        }
        guard errno == ENOENT else { throw StoreRefusal(errno: errno, doing: "look at it", path) }
        if mkdir(path, 0o700) != 0, errno != EEXIST { throw StoreRefusal(errno: errno, doing: "make it", path) }
        // Or a power cut would take the whole directory, with all that the disk was asked to keep in it.
        let failure = StoreFile.sync(path + "/..")
        if failure != 0 { throw StoreRefusal(errno: failure, doing: "make it", path) }
    }

    private static func readIdentity(_ path: String) throws(StoreRefusal) -> StoreIdentity? {
        switch StoreFile.read("\(path)/\(identityName)") {
        case .whole(let bytes): return try StoreIdentity(bytes, in: path)
        case .tooLarge: throw StoreIdentity.damaged(in: path)
        case .failed(ENOENT):
            guard access("\(path)/db", F_OK) != 0 else {
                throw StoreRefusal(
                    .identityMissing, path,
                    "there is a store in it, but no file \(identityName) that says whose. \(StoreRefusal.startEmpty)")
            }
            return nil
        case .failed(let code): throw StoreRefusal(errno: code, doing: "read its file \(identityName)", path)
        }
    }

    private static func checkPlace(_ identity: StoreIdentity, _ path: String) throws(StoreRefusal) {
        guard access("\(path)/db/CURRENT", F_OK) == 0 else {
            throw StoreRefusal(.filesMissing, path, "its folder db has no database any more. \(StoreRefusal.startEmpty)")
        }
        // A store that was closed has all that it acknowledged, wherever it was taken. Whether the node has gone on elsewhere since, the
        // roster says: it knows a boot that this one doesn't.
        guard identity.state != .closed, try StoreSurroundings.folder("\(path)/db", for: path) != identity.place else { return }
        throw StoreRefusal(
            .copied, path,
            "it is a copy that was made while the node ran, or before it had stopped in order, so it may lack what the node acknowledged later. "
                + "Use the original; if that is gone, move the copy away and start with an empty directory.")
    }

    // MARK: Writing

    /// The process has the store from here on, or has put it down.
    func update(_ change: (inout StoreIdentity) -> Void) throws(StoreRefusal) {
        var changed = identity
        change(&changed)
        try StoreFile.replace(Self.identityName, in: path, by: Self.bytes(changed, path))
        identity = changed
    }

    /// Says for others which process this is.
    func sign() { lock.sign() }

    private static func bytes(_ identity: StoreIdentity, _ path: String) throws(StoreRefusal) -> [UInt8] {
        do { return try identity.encoded() } catch {
            throw StoreRefusal(.io, path, "its identity has no JSON form: \(error).")
        }
    }
}

/// What keeps two processes from using one directory. It goes with the process, however that ends; the file stays.
private final class DirectoryLock {
    private let file: Int32

    init(_ directory: String) throws(StoreRefusal) {
        let name = "\(directory)/lock"
        file = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw StoreRefusal(errno: errno, doing: "write the file lock", directory) }
        if flock(file, LOCK_EX | LOCK_NB) == 0 { return }
        guard errno == EWOULDBLOCK else { throw StoreRefusal(errno: errno, doing: "lock it", directory) }
        var holder: Int?
        if case .whole(let text) = StoreFile.read(name) { holder = Int(String(decoding: text.dropLast(), as: UTF8.self)) }
        throw StoreRefusal(
            .inUse, directory,
            "\(holder.map { "the process \($0)" } ?? "another process") uses it. Stop that node, or give this one a directory of its own.")
    }

    deinit {
        guard file >= 0 else { return }
        // Not by closing it alone: a process that is being started has the descriptor too, until it runs its own program.
        flock(file, LOCK_UN)
        close(file)
    }

    /// Puts the process id into the file. That is for people only, so it may fail.
    func sign() {
        let text = Array("\(getpid())\n".utf8)
        if ftruncate(file, 0) == 0 { _ = StoreFile.writeAll(text, to: file, at: 0) }
    }
}
