// Why a directory can't be used as a store. Whoever refuses has deleted nothing: what is in the directory may be the last copy of something,
// and only people know which directory they meant.
import Glibc

/// A directory that is not used, and why.
public struct StoreRefusal: Error, Hashable, Sendable, CustomStringConvertible {
    /// The reasons that callers and tests tell apart.
    public enum Kind: Sendable, Hashable, CaseIterable {
        /// There is something else of that name, or the directory above is missing.
        case notADirectory
        /// The process may not write there.
        case noAccess
        /// The file system is mounted read-only.
        case readOnly
        /// The file system has no room.
        case full
        /// Another process uses it.
        case inUse
        /// It belongs to another node.
        case otherNode
        /// It belongs to another cluster.
        case otherCluster
        /// It belongs to a cluster of the same name that was founded anew.
        case otherGeneration
        /// A newer program has written it.
        case otherFormat
        /// It is a copy of the directory that the node has used.
        case copied
        /// There is a store, and nothing that says whose it is.
        case identityMissing
        /// What says whose store it is can't be read.
        case identityDamaged
        /// Files of the store are not there.
        case filesMissing
        /// Files of the store are not as they were written.
        case damaged
        /// The operating system refused something else.
        case io
    }

    /// The reason, for a `switch`.
    public let kind: Kind
    /// The directory.
    public let directory: String
    /// What is wrong, and what to do.
    public let sentence: String

    init(_ kind: Kind, _ directory: String, _ sentence: String) {
        self.kind = kind
        self.directory = directory
        self.sentence = sentence
    }

    /// One or two sentences for a log or an operator.
    public var description: String { "The data directory \(directory) is not used: \(sentence) Nothing in it was deleted." }

    /// What an operator does with a store that can't be used: others have the copies.
    static let startEmpty =
        "Move it away, keep it until the cluster is whole again, and start the node with an empty one: it gets its copies from the other nodes."

    /// What the operating system said.
    init(errno code: Int32, doing what: String, _ directory: String) {
        let text = String(cString: strerror(code))
        switch code {
        case ENOSPC, EDQUOT:
            self.init(.full, directory, "its file system has no room to \(what). Make room, or name a directory on another one.")
        case EROFS:
            self.init(.readOnly, directory, "its file system is mounted read-only. Mount it for writing, or name another directory.")
        case EACCES, EPERM:
            self.init(.noAccess, directory, "this process may not \(what) (\(text)). Give it to the user that the node runs as.")
        case ENOTDIR, ENOENT:
            self.init(
                .notADirectory, directory,
                "it is no directory and can't be made one (\(text)). Name a directory, of which the one above exists."
            )
        default: self.init(.io, directory, "can't \(what): \(text).")
        }
    }
}
