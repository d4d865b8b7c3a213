// The namespaces of a node, found by the bytes before a channel name's first colon. Where there are none, nothing is looked up.
import HashRing

/// Some namespaces.
public struct NamespaceTable: Hashable, Sendable {
    /// More are refused.
    public static let countMax = 256
    /// What ends a namespace in a channel's name.
    static let colon = UInt8(ascii: ":")

    /// In the order of their names.
    public let all: [Namespace]

    /// None.
    public init() { all = [] }

    /// - Returns: `nil` when there are more than ``countMax``, or two of one name.
    public init?(_ namespaces: [Namespace]) {
        guard namespaces.count <= Self.countMax else { return nil }
        all = namespaces.sorted { $0.name.lexicographicallyPrecedes($1.name) }
        for (one, next) in zip(all, all.dropFirst()) where one.name == next.name { return nil }
    }

    /// Whether there are none.
    public var isEmpty: Bool { all.isEmpty }

    /// The namespace of a channel; `nil` for a name without one, and for users.
    public subscript(key: Key) -> Namespace? {
        let number = number(of: key)
        return number == 0 ? nil : all[number - 1]
    }

    /// The place of the channel's namespace in ``all``, from 1; 0 where it has none.
    func number(of key: Key) -> Int {
        guard !all.isEmpty, key.kind == .channel, let end = key.name.firstIndex(of: Self.colon) else { return 0 }
        let name = key.name[..<end]
        var low = 0
        var high = all.count
        while low < high {
            let middle = (low + high) / 2
            if all[middle].name.lexicographicallyPrecedes(name) { low = middle + 1 } else { high = middle }
        }
        return low < all.count && all[low].name.elementsEqual(name) ? low + 1 : 0
    }

    // MARK: Nodes that differ

    /// The same for the same rules, whatever order and form they were written in: nodes are compared by it.
    public var digest: UInt64 {
        var bytes: [UInt8] = []
        for namespace in all {
            bytes.append(UInt8(truncatingIfNeeded: namespace.name.count))
            bytes += namespace.name
            for number in namespace.numbers { withUnsafeBytes(of: Int64(number ?? -1).littleEndian) { bytes += $0 } }
        }
        return bytes.withUnsafeBytes { sipHash13(key: SipKey(ascii: "ringpost digests"), $0) }
    }
}

extension Namespace {
    /// All that it says, in an order that stays: a new member goes to the end.
    fileprivate var numbers: [Int?] {
        func number(_ audience: Audience?) -> Int? { audience.flatMap { Audience.allCases.firstIndex(of: $0) } }
        return [
            historyMessages, historyBytes, historySeconds, timeToLiveSeconds.map { Int($0) }, allowsPresence ? 1 : 0, number(publish),
            number(subscribe), messagesPerSecond, subscribers, payloadBytes, channels, bytes,
        ]
    }
}
