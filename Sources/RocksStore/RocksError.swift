// What RocksDB answers besides success: its sentence is kept beside a kind that callers switch over, with the operation and the folder it
// failed for. What to do about it is the caller's to say: here nobody knows what the database is for.

/// A failed call: which operation on which database, and why.
public struct RocksError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The reasons that callers tell apart.
    public enum Kind: Sendable, Equatable {
        /// What is on the disk is not what was written: a checksum, a file or an order that is wrong.
        case corruption
        /// The disk has no room.
        case noSpace
        /// Another process, or this one, has the database open.
        case locked
        /// There is no database, or a file of it is not there.
        case missing
        /// The operating system refused to read or write.
        case io
        /// An option or an argument that is wrong whatever the state.
        case badArguments
        /// The database was closed.
        case closed
        /// Everything else: look at the sentence.
        case other
    }

    /// The reason, for a `switch`.
    public let kind: Kind
    /// What was attempted: `open`, `write`, `read`, `scan`, `flush`, `compact`.
    public let operation: String
    /// The database's folder.
    public let path: String
    /// RocksDB's own words.
    public let text: String

    /// An error with RocksDB's own words.
    public init(_ text: String, operation: String, path: String) {
        self.init(Self.kind(of: text), text, operation: operation, path: path)
    }

    init(_ kind: Kind, _ text: String, operation: String, path: String) {
        self.kind = kind
        self.operation = operation
        self.path = path
        self.text = text
    }

    /// The C interface has no codes, only sentences that begin with the kind.
    private static func kind(of text: String) -> Kind {
        if text.contains("No space left on device") || text.contains("Disk quota exceeded") { return .noSpace }
        if text.contains("lock hold by current process") || text.contains("While lock file") { return .locked }
        if text.contains("does not exist (create_if_missing is false)") || text.contains("No such file or directory") { return .missing }
        if text.hasPrefix("Corruption") { return .corruption }
        if text.hasPrefix("IO error") { return .io }
        if text.hasPrefix("Invalid argument") || text.hasPrefix("Not implemented") { return .badArguments }
        return .other
    }

    /// One sentence for a log or an operator.
    public var description: String { "RocksDB could not \(operation) \(path): \(text)." }
}
