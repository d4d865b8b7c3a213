// What a member's disk promises: said by its store, by its entry among the members, and of messages by receipts.

/// What "has it" means for a store.
public enum StoreDurability: String, Sendable, CaseIterable {
    /// It is on the disk: it survives the machine.
    case fsync
    /// The kernel has it: it survives the process. When the machine has gone down meanwhile, the store has lost its end.
    case written
}
