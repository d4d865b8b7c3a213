// Which names somebody may use: one grammar for what tokens grant to clients, for what API keys are limited to, and for what a node opens
// to everybody.

/// A name, or the beginning of names.
public struct NamePattern: Hashable, Sendable {
    /// A pattern is as long as a name may be, and a star.
    public static let bytesMax = Key.userBytesMax + 1

    private let name: [UInt8]
    private let isPrefix: Bool

    /// What a grant's pattern has in place of the client's user id.
    public static let placeholder = "{user}"
    private static let placeholderBytes = Array(placeholder.utf8)

    /// `room` is that name and no other; `game:*` all that begin with `game:`; `*` every name. `nil` for an empty or too long one, and for
    /// one with a star right behind the user's place: `{user}*` would mean all users whose ids begin so.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty, bytes.count <= Self.bytesMax else { return nil }
        isPrefix = bytes.last == UInt8(ascii: "*")
        name = isPrefix ? Array(bytes.dropLast()) : bytes
        if isPrefix, name.suffix(Self.placeholderBytes.count) == Self.placeholderBytes[...] { return nil }
    }

    private init(name: [UInt8], isPrefix: Bool) {
        self.name = name
        self.isPrefix = isPrefix
    }

    /// The pattern with a user's id wherever `{user}` stands; `nil` when it means no name then. An id is a part of a name and never more: a
    /// star in it would be a wildcard, a colon or a slash would move the border to what others have, so such an id is put in nowhere.
    func filled(by user: [UInt8]?) -> NamePattern? {
        guard name.contains(Self.placeholderBytes[0]) else { return self }
        var (filled, rest, places) = ([UInt8](), name[...], 0)
        while let start = rest.firstRange(of: Self.placeholderBytes) {
            filled += rest[..<start.lowerBound]
            filled += user ?? []
            rest = rest[start.upperBound...]
            places += 1
        }
        if places == 0 { return self }
        guard let user, !user.isEmpty, !user.contains(where: Self.borders.contains) else { return nil }
        filled += rest
        // No name is as long as that.
        guard filled.count < Self.bytesMax else { return nil }
        return NamePattern(name: filled, isPrefix: isPrefix)
    }

    private static let borders = Array("*:/".utf8)

    /// Whether the name is meant. Names are compared as bytes.
    public func matches(_ other: [UInt8]) -> Bool { isPrefix ? other.starts(with: name) : other == name }
}

/// Several patterns; a name is meant if one of them means it.
public struct NamePatterns: Hashable, Sendable {
    /// More are refused: each is looked at for each question.
    public static let countMax = 256

    private let patterns: [NamePattern]

    /// Every name.
    public static let all = NamePatterns(patterns: [NamePattern("*")].compactMap { $0 })
    /// No name.
    public static let none = NamePatterns(patterns: [])

    private init(patterns: [NamePattern]) { self.patterns = patterns }

    /// `nil` when there are more than ``countMax``, or one of them is none.
    ///
    /// - Parameter user: whose id stands for `{user}`. A pattern with that place means nothing for an id with `*`, `:` or `/` in it, or
    ///   where there is no user.
    public init?(_ texts: [String], user: [UInt8]? = nil) {
        guard texts.count <= Self.countMax else { return nil }
        let patterns = texts.compactMap(NamePattern.init)
        guard patterns.count == texts.count else { return nil }
        self.init(patterns: patterns.compactMap { $0.filled(by: user) })
    }

    /// Whether no name is meant.
    public var isEmpty: Bool { patterns.isEmpty }
    /// Whether every name is meant.
    public var isAll: Bool { self == .all }

    /// Whether the name is meant.
    public func matches(_ name: [UInt8]) -> Bool { patterns.contains { $0.matches(name) } }
}
