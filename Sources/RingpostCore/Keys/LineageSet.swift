// Whose copies count. A lineage is 64 random bits that name one store of copies, beyond the boots of its node: see docs/architecture/copies.md,
// "Copies that outlive sessions".

/// The lineages that an owner waits for before it commits: whoever of them comes back knows what was committed, or who else knows it.
public struct LineageSet: Hashable, Sendable {
    /// So many lineages at most: every member has one, and an owner waits for some of those that have left.
    public static let lineagesMax = 2_000

    /// Grows with each change under one term.
    public let number: UInt64
    /// The owner's is one of them; empty for a copy that nobody has written to.
    public let lineages: [UInt64]

    /// A set; the empty one unless given.
    public init(number: UInt64 = 0, lineages: [UInt64] = []) {
        self.number = number
        self.lineages = lineages
    }

    /// That it takes in memory, beyond its place.
    var bytes: Int { lineages.isEmpty ? 0 : 32 + lineages.count * MemoryLayout<UInt64>.stride }

    func without(_ lineage: UInt64) -> LineageSet { LineageSet(number: number, lineages: lineages.filter { $0 != lineage }) }
}

/// What is known of a slot's log without having it: of a copy that was released, or of one that is here.
public struct SlotEvidence: Hashable, Comparable, Sendable {
    /// Under whose term the log was written last.
    public let term: UInt64
    /// The number of a step that it has.
    public let position: UInt64
    /// Who has it.
    public let set: LineageSet

    /// All of it.
    public init(term: UInt64, position: UInt64, set: LineageSet) {
        self.term = term
        self.position = position
        self.set = set
    }

    /// An owner is in every set of its term, so of two in one term the longer one names it, and it knows the rest.
    public static func < (one: SlotEvidence, other: SlotEvidence) -> Bool {
        (one.term, one.position, one.set.number) < (other.term, other.position, other.set.number)
    }
}
