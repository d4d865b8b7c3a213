// What a store has done since it was opened, for metrics and alarms.

/// Counts of a store.
public struct StoreCounts: Sendable, Equatable {
    /// Batches, each of which waited for the disk once where durability asks for it.
    public internal(set) var batches = 0
    /// Ticks that were in them.
    public internal(set) var ticks = 0
    /// About how many bytes of changes.
    public internal(set) var bytes = 0
    /// How long the batches took altogether.
    public internal(set) var microseconds = 0
    /// How long the last one took.
    public internal(set) var lastMicroseconds = 0
    /// Bytes of the files, without the write-ahead log, at the last write that came a second or more after the one before.
    public internal(set) var fileBytes = 0
    /// Slots and parts of histories that were read.
    public internal(set) var reads = 0
    /// Of these, those that met damage.
    public internal(set) var damagedReads = 0

    mutating func count(ticks: Int, bytes: Int, microseconds: Int) {
        batches += 1
        self.ticks += ticks
        self.bytes += bytes
        self.microseconds += microseconds
        lastMicroseconds = microseconds
    }
}
