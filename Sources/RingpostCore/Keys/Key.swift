// A key is what is placed on the ring: a user id or a channel name. Names are compared as bytes and never normalised,
// so two spellings of one letter are two keys on every node alike.
import HashRing

/// A valid name of one kind together with its place on the ring.
public struct Key: Sendable {
    /// User ids take 1 to 256 bytes.
    public static let userBytesMax = 256
    /// Channel names take 1 to 255 bytes.
    public static let channelBytesMax = 255

    /// The name's UTF-8.
    public let name: [UInt8]
    /// Where it belongs.
    public let hash: KeyHash
    // The smallest comes last: what stands behind a key in a value that is kept often has the room up to the next word.
    /// Whether this is a user or a channel.
    public let kind: KeyKind

    /// Checks a name and places it.
    ///
    /// - Throws: ``NameError``, which says what is wrong with the name.
    public init(_ kind: KeyKind, name: [UInt8], hasher: KeyHasher) throws(NameError) {
        if let error = NameError.find(in: name, bytesMax: kind == .user ? Self.userBytesMax : Self.channelBytesMax) { throw error }
        self.init(kind, trusted: name, hash: name.withUnsafeBytes { hasher.hash(kind, utf8: $0) })
    }

    /// A name that another node has checked and placed already.
    public init(_ kind: KeyKind, trusted name: [UInt8], hash: KeyHash) {
        self.kind = kind
        self.name = name
        self.hash = hash
    }

    /// 0 … 65,535.
    public var slot: Int { hash.slot }

    /// For people: names that came through ``init(_:name:hasher:)`` are valid UTF-8.
    public var text: String { String(decoding: name, as: UTF8.self) }
}

extension Key: Hashable {
    /// Names are compared as bytes.
    public static func == (one: Key, other: Key) -> Bool {
        one.hash == other.hash && one.kind == other.kind && one.name == other.name
    }

    /// The place is a hash already.
    public func hash(into hasher: inout Hasher) { hasher.combine(hash.rawValue) }
}

/// What can be wrong with a user id or a channel name.
public enum NameError: Error, Equatable, Sendable {
    case empty
    case tooLong(bytes: Int, bytesMax: Int)
    case notUTF8
    case controlCharacter

    /// The first fault of a name, if it has one.
    static func find(in name: [UInt8], bytesMax: Int) -> NameError? {
        if name.isEmpty { return .empty }
        if name.count > bytesMax { return .tooLong(bytes: name.count, bytesMax: bytesMax) }
        // C0 and DEL; in UTF-8 the C1 controls U+0080…U+009F are C2 80 … C2 9F.
        var before: UInt8 = 0
        for byte in name {
            if byte < 0x20 || byte == 0x7F || (before == 0xC2 && (0x80..<0xA0).contains(byte)) { return .controlCharacter }
            before = byte
        }
        return String(validating: name, as: UTF8.self) == nil ? .notUTF8 : nil
    }

    /// A sentence for whoever sent the name.
    public var message: String {
        switch self {
        case .empty: "the name is empty"
        case .tooLong(let bytes, let bytesMax): "the name has \(bytes) bytes, at most \(bytesMax) are allowed"
        case .notUTF8: "the name is not valid UTF-8"
        case .controlCharacter: "the name holds a control character"
        }
    }
}
