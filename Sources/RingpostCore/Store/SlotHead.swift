// What a lineage can prove about a slot, apart from what the slot has in it. Heads lie in a table of their own: when the content of a copy is
// damaged, its head still counts as evidence, and the content is fetched elsewhere.

/// A slot's head: which copy this store has, or had.
public struct SlotHead: Hashable, Sendable {
    /// What there is beside the head.
    public enum Kind: UInt8, Sendable {
        /// A complete copy up to `position`.
        case copy = 1
        /// A copy was here and was released: nothing but the evidence, up to the owner's committed position.
        case released = 2
        /// No copy was ever here, and terms below `fence` are refused.
        case fenced = 3
        /// A copy of a lineage before this store's own, which has lost something. It proves nothing; it is what there is when nobody has more.
        case hearsay = 4
    }

    /// What there is beside the head.
    public let kind: Kind
    /// The term of the last owner frame that the copy accepted, or in which this node is the owner.
    public let term: UInt64
    /// The number of the last step of the log.
    public let position: UInt64
    /// The highest term that was heard of.
    public let fence: UInt64
    /// From which the incarnations of the slot's mailboxes follow; see ``Origins``.
    public let origin: UInt64
    /// The newest set that the log names, this store's own lineage in it unless it was released.
    public let set: LineageSet

    /// A head with all its parts.
    public init(kind: Kind, term: UInt64, position: UInt64, fence: UInt64, origin: UInt64, set: LineageSet) {
        self.kind = kind
        self.term = term
        self.position = position
        self.fence = fence
        self.origin = origin
        self.set = set
    }

    /// What is left of it under another lineage: a copy is hearsay, and of what there is no copy nothing counts.
    public var asHearsay: SlotHead? {
        guard kind == .copy || kind == .hearsay else { return nil }
        return SlotHead(kind: .hearsay, term: term, position: position, fence: fence, origin: origin, set: set)
    }

    /// The highest epoch that a store has seen, as far as its heads say it. What is hearsay says nothing any more.
    public static func epoch(of heads: some Sequence<SlotHead>) -> UInt64 {
        heads.reduce(0) { $1.kind == .hearsay ? $0 : max($0, $1.term, $1.fence) }
    }

    /// The form of a head that is written. A head in another one can't be read.
    private static let form: UInt8 = 1

    /// Appends the head's bytes.
    public func append(to bytes: inout [UInt8]) {
        bytes.append(Self.form)
        bytes.append(kind.rawValue)
        for number in [term, position, fence, set.number] { bytes.append(number: number) }
        bytes.append(word: origin)
        bytes.append(number: UInt64(set.lineages.count))
        for lineage in set.lineages { bytes.append(word: lineage) }
    }

    /// Reads a head; `nil` where it is none.
    public init?(_ bytes: UnsafeRawBufferPointer) {
        var reader = StoreReader(bytes)
        guard reader.readByte() == Self.form, let kind = reader.readByte().flatMap(Kind.init), let term = reader.readNumber(),
            let position = reader.readNumber(), let fence = reader.readNumber(), let setNumber = reader.readNumber(),
            let origin = reader.readWord(), let count = reader.readNumber(), count <= LineageSet.lineagesMax
        else { return nil }
        var lineages: [UInt64] = []
        for _ in 0..<count {
            guard let lineage = reader.readWord() else { return nil }
            lineages.append(lineage)
        }
        guard reader.isAtEnd else { return nil }
        self.init(
            kind: kind, term: term, position: position, fence: fence, origin: origin,
            set: LineageSet(number: setNumber, lineages: lineages))
    }
}
