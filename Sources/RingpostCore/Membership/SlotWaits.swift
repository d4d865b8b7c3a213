// Slots that are to be a node's and can't be for the moment: shards count them, the node adds them up.

/// Slots that nobody serves, because their new owner may not begin yet.
public struct SlotWaits: Hashable, Sendable {
    /// How many there are.
    public var slots = 0
    /// Members that have not said what they hold, or have the best copy, and can't be reached.
    public var silent: Set<MemberIdentity> = []
    /// Slots of which no member has a copy that is certainly the best; they begin anew when nobody can be acting as their owner any more.
    public var vacant = 0
    /// When the last of these begins anew; `nil` where there are none, or where the roster has not said it yet.
    public var vacantUntil: Int64?

    /// Slots in which somebody has heard of an epoch above the present one.
    public var fenced = 0

    /// None.
    public init() {}

    /// Adds another shard's.
    public static func += (one: inout SlotWaits, other: SlotWaits) {
        one.slots += other.slots
        one.silent.formUnion(other.silent)
        one.vacant += other.vacant
        one.fenced += other.fenced
        one.vacantUntil = [one.vacantUntil, other.vacantUntil].compactMap { $0 }.max()
    }
}
