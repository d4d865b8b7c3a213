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

    /// Lineages that an acknowledging set can have here. A longer one can't be written: a set has an owner, its mirrors, and those that
    /// are not released yet.
    public static let setMax = 64

    /// What there is beside the head.
    public let kind: Kind
    /// The term of the last owner frame that the copy accepted, or in which this node is the owner.
    public let term: UInt64
    /// The number of the last step of the log.
    public let position: UInt64
    /// The highest term that was heard of.
    public let fence: UInt64
    /// From which the incarnations of the slot's mailboxes follow; see ``Lineages``.
    public let lineage: UInt64
    /// Under which term the newest set that the log names was written.
    public let setTerm: UInt64
    /// The lineages of that set, this store's own among them unless it was released.
    public let set: [UInt64]

    /// A head with all its parts.
    public init(kind: Kind, term: UInt64, position: UInt64, fence: UInt64, lineage: UInt64, setTerm: UInt64, set: [UInt64]) {
        self.kind = kind
        self.term = term
        self.position = position
        self.fence = fence
        self.lineage = lineage
        self.setTerm = setTerm
        self.set = set
    }

    /// What is left of it under another lineage: a copy is hearsay, and of what there is no copy nothing counts.
    public var asHearsay: SlotHead? {
        guard kind == .copy || kind == .hearsay else { return nil }
        return SlotHead(kind: .hearsay, term: term, position: position, fence: fence, lineage: lineage, setTerm: setTerm, set: set)
    }

    /// The form of a head that is written. A head in another one can't be read.
    private static let form: UInt8 = 1

    /// Appends the head's bytes.
    public func append(to bytes: inout [UInt8]) {
        precondition(set.count <= Self.setMax, "an acknowledging set of \(set.count) lineages; at most \(Self.setMax) can be written")
        bytes.append(Self.form)
        bytes.append(kind.rawValue)
        for number in [term, position, fence, setTerm] { bytes.append(number: number) }
        bytes.append(word: lineage)
        bytes.append(UInt8(truncatingIfNeeded: set.count))
        for lineage in set { bytes.append(word: lineage) }
    }

    /// Reads a head; `nil` where it is none.
    public init?(_ bytes: UnsafeRawBufferPointer) {
        var reader = StoreReader(bytes)
        guard reader.readByte() == Self.form, let kind = reader.readByte().flatMap(Kind.init), let term = reader.readNumber(),
            let position = reader.readNumber(), let fence = reader.readNumber(), let setTerm = reader.readNumber(),
            let lineage = reader.readWord(), let count = reader.readByte(), Int(count) <= Self.setMax
        else { return nil }
        var set: [UInt64] = []
        for _ in 0..<count {
            guard let lineage = reader.readWord() else { return nil }
            set.append(lineage)
        }
        guard reader.isAtEnd else { return nil }
        self.init(kind: kind, term: term, position: position, fence: fence, lineage: lineage, setTerm: setTerm, set: set)
    }
}
