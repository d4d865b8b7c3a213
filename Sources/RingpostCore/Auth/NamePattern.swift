// Which names somebody may use: one grammar for what tokens grant to clients, for what API keys are limited to, and for what a node opens
// to everybody.

/// A name, or the beginning of names.
public struct NamePattern: Hashable, Sendable {
    /// A pattern is as long as a name may be, and a star.
    public static let bytesMax = Key.userBytesMax + 1

    private let name: [UInt8]
    private let isPrefix: Bool

    /// `room` is that name and no other; `game:*` all that begin with `game:`; `*` every name. `nil` for an empty or too long one.
    public init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard !bytes.isEmpty, bytes.count <= Self.bytesMax else { return nil }
        isPrefix = bytes.last == UInt8(ascii: "*")
        name = isPrefix ? Array(bytes.dropLast()) : bytes
    }

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
    public init?(_ texts: [String]) {
        guard texts.count <= Self.countMax else { return nil }
        let patterns = texts.compactMap(NamePattern.init)
        guard patterns.count == texts.count else { return nil }
        self.init(patterns: patterns)
    }

    /// Whether no name is meant.
    public var isEmpty: Bool { patterns.isEmpty }
    /// Whether every name is meant.
    public var isAll: Bool { self == .all }

    /// Whether the name is meant.
    public func matches(_ name: [UInt8]) -> Bool { patterns.contains { $0.matches(name) } }
}
