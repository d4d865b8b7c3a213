// Who a session is for ZooKeeper's digest scheme. The library sends user and password as they are, anew with every connection; the server
// keeps a hash of both in the access control lists. It knows no list of users: whoever brings another password is somebody else.

/// A user and a password for ZooKeeper. Nothing that prints it shows the password.
public struct ZooKeeperCredentials: Sendable, Hashable {
    /// User, colon and password together take at most this many bytes.
    public static let bytesMax = 512
    /// What `init(line:)` reads, as the end of a sentence for an operator.
    public static let lineForm =
        "one line user:password, neither of them empty, without control characters, of at most \(bytesMax) bytes together"

    /// Shown in access control lists beside the hash.
    public let user: String
    let password: String

    /// `nil` when one of them is empty, holds a control character, or when the user holds a colon; also when they are too long.
    public init?(user: String, password: String) {
        guard !user.isEmpty, !password.isEmpty, !user.utf8.contains(UInt8(ascii: ":")) else { return nil }
        guard user.utf8.count + 1 + password.utf8.count <= Self.bytesMax else { return nil }
        // Also keeps out the NUL at which C would cut it short.
        guard !(user + password).utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { return nil }
        self.user = user
        self.password = password
    }

    /// Reads the content of a file with one line, `user:password`; the password may hold colons. `nil` for anything else.
    public init?(line: String) {
        let line = line.hasSuffix("\r\n") || line.hasSuffix("\n") ? line.dropLast() : line[...]
        guard let colon = line.firstIndex(of: ":") else { return nil }
        self.init(user: String(line[..<colon]), password: String(line[line.index(after: colon)...]))
    }

    /// What the digest scheme wants.
    var certificate: [UInt8] { Array("\(user):\(password)".utf8) }
}

extension ZooKeeperCredentials: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The user alone.
    public var description: String { "ZooKeeper user \"\(user)\"" }
    /// The same.
    public var debugDescription: String { description }
    /// What `dump` and string interpolation of whatever holds this may see.
    public var customMirror: Mirror { Mirror(self, children: ["user": user]) }
}
