// What a producer's or operator's key may do, as it stands in the file of keys: one JSON object a line. The key itself is not in it, only
// its hash.
import HashRing

/// What a key may be used for.
public enum APIScope: String, Codable, Sendable, CaseIterable {
    case publishUsers = "publish-users"
    case publishChannels = "publish-channels"
    /// Questions about users, channels, nodes; metrics.
    case read
    /// Messages that users and channels were sent.
    case history
    /// Orders to nodes, revocations, disconnects.
    case administer

    fileprivate var bit: UInt8 {
        switch self {
        case .publishUsers: 1
        case .publishChannels: 2
        case .read: 4
        case .administer: 8
        case .history: 16
        }
    }
}

/// One line of a file of keys.
public struct APIKeyRecord: Codable, Hashable, Sendable {
    /// A file has at most this many keys.
    public static let countMax = 10_000
    /// A line has at most so many bytes.
    public static let lineBytesMax = 16_384
    /// What a hash begins with.
    public static let hashPrefix = "sha256:"

    /// Which key it is; stands in the key's text too, and in logs.
    public let id: String
    /// `sha256:` and 64 hexadecimal digits of SHA-256 over the secret's text. No slow hash: the secret is 256 random bits.
    public let hash: String
    /// What it may be used for.
    public let scopes: [APIScope]
    /// Patterns that limit users and channels of publishes, questions and orders; `nil` for all.
    public let names: [String]?
    /// For people.
    public let note: String?
    /// When it ends, in seconds since 1970; `nil` for never.
    public let expires: Int64?
    /// Messages in a second, and twice as many at once, on each node; `nil` for no bound of its own.
    public let rate: Int?
    /// Whether messages that come with it name its id in `from`; `nil` for no.
    public let named: Bool?

    /// All of it.
    public init(
        id: String, hash: String, scopes: [APIScope], names: [String]? = nil, note: String? = nil, expires: Int64? = nil, rate: Int? = nil,
        named: Bool? = nil
    ) {
        self.id = id
        self.hash = hash
        self.scopes = scopes
        self.names = names
        self.note = note
        self.expires = expires
        self.rate = rate
        self.named = named
    }

    /// What is wrong with it, as the end of a sentence; `nil` when nothing is.
    public var fault: String? {
        let digits = hash.utf8.dropFirst(Self.hashPrefix.utf8.count)
        if !hash.hasPrefix(Self.hashPrefix) || digits.count != 64 || !digits.allSatisfy({ Self.hexadecimal.contains($0) }) {
            return "has a hash that is not \(Self.hashPrefix) and 64 hexadecimal digits"
        }
        if id.isEmpty || id.utf8.count > 64 { return "has an id that is empty or too long" }
        if named == true, NameError.find(in: Array(id.utf8), bytesMax: 64) != nil {
            return "is to be named, but has an id with a control character"
        }
        if let names, NamePatterns(names) == nil { return "has names that are no patterns" }
        if let rate, rate < 1 { return "has a rate of \(rate)" }
        return nil
    }

    private static let hexadecimal = Set("0123456789abcdef".utf8)
}

/// What a request with a certain key may do.
public struct APIGrant: Hashable, Sendable {
    /// Which key it is, for logs and for counting; `nil` where none is asked for.
    public let id: String?
    /// What messages that come with it say of their sender; see ``SenderText``.
    public let from: [UInt8]
    /// A bit each: they are asked for with each message, and grants are copied.
    private let scopeBits: UInt8
    /// Users and channels that it is limited to.
    public let names: NamePatterns
    /// Messages in a second; `nil` where the key does not say.
    public let rate: Int?
    /// When it ends, in seconds since 1970; `nil` for never.
    public let expires: Int64?

    /// Everything: where no key is asked for.
    public static let all = APIGrant(
        id: nil, from: SenderText.nobody, scopes: APIScope.allCases, names: .all, rate: nil, expires: nil)

    /// - Parameter record: one without a fault.
    public init(_ record: APIKeyRecord) {
        self.init(
            id: record.id, from: record.named == true ? SenderText.key(record.id) : SenderText.nobody, scopes: record.scopes,
            names: record.names.map { NamePatterns($0) ?? .none } ?? .all, rate: record.rate, expires: record.expires)
    }

    private init(id: String?, from: [UInt8], scopes: [APIScope], names: NamePatterns, rate: Int?, expires: Int64?) {
        self.id = id
        self.from = from
        scopeBits = scopes.reduce(0) { $0 | $1.bit }
        self.names = names
        self.rate = rate
        self.expires = expires
    }

    private func has(_ scope: APIScope) -> Bool { scopeBits & scope.bit != 0 }

    /// Whether the key may be used to publish anywhere.
    public var allowsPublishing: Bool { has(.publishUsers) || has(.publishChannels) }

    /// Whether the time is over.
    public func isOver(nowSeconds: Int64) -> Bool { expires.map { nowSeconds >= $0 } ?? false }

    /// Whether the key may be used to publish there.
    public func allowsPublish(_ kind: KeyKind, _ name: [UInt8]) -> Bool {
        has(kind == .user ? .publishUsers : .publishChannels) && names.matches(name)
    }

    /// Whether the key may be used to ask about a user or channel.
    public func allowsReading(_ name: [UInt8]) -> Bool { has(.read) && names.matches(name) }

    /// Whether the key may be used to page through what a user or channel was sent.
    public func allowsHistory(_ name: [UInt8]) -> Bool { has(.history) && names.matches(name) }

    /// Whether the key may be used for questions about the whole: who is limited to some names learns nothing about others.
    public var allowsReadingAll: Bool { has(.read) && names.isAll }

    /// Whether the key may give orders about the whole: a node is everybody's, so who is limited to some names has none to give.
    public var allowsOrders: Bool { has(.administer) && names.isAll }

    /// Whether the key may give orders, if only about the names that it is limited to.
    public var allowsSomeOrders: Bool { has(.administer) }

    /// Whether the key may order something about a user.
    public func allowsOrders(about name: [UInt8]) -> Bool { has(.administer) && names.matches(name) }
}
