// Whose slots have another owner at a new epoch: subscriptions to their keys attach there.

/// What has changed of the slots' owners between two views.
public struct OwnerChanges: Sendable {
    private let old: MembershipView?
    private let new: MembershipView
    /// Where the old members stand in the new ring: compared by index, because many slots are asked about.
    private let memberIndices: [Int?]

    /// - Parameter old: the view before, if there was one.
    public init(from old: MembershipView?, to new: MembershipView) {
        self.old = old
        self.new = new
        memberIndices = old.map { new.memberIndices(of: $0) } ?? []
    }

    /// Whether the slot's owner is another one now. Another boot is another owner.
    public func hasChanged(ofSlot slot: Int) -> Bool {
        let before = old?.ring.owner(ofSlot: slot).flatMap { memberIndices[$0] }
        return before != new.ring.owner(ofSlot: slot)
    }
}
