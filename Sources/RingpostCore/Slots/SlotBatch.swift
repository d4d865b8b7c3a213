// What an owner has to say to one holder about many slots goes into one frame as long as one event is handled: a join moves tens of
// thousands of slots, and most of them have nothing in them.

/// Parts of one kind for one member, in the order in which they are to be said.
struct SlotBatch {
    enum Part {
        case adopt(SlotAdoption)
        case snapshot(SnapshotTransfer)
        case release(SlotTerm)
    }

    private var adoptions: [SlotAdoption] = []
    private var snapshots: [SnapshotTransfer] = []
    private var releases: [SlotTerm] = []
    private var snapshotBytes = 0

    var isEmpty: Bool { adoptions.isEmpty && snapshots.isEmpty && releases.isEmpty }

    /// Whether one more part may go into the same frame.
    func hasRoom(for part: Part, limits: SlotLimits) -> Bool {
        switch part {
        case .adopt: snapshots.isEmpty && releases.isEmpty && adoptions.count < limits.slotsPerFrameMax
        case .snapshot(let snapshot):
            adoptions.isEmpty && releases.isEmpty && snapshots.count < limits.slotsPerFrameMax
                && (snapshots.isEmpty || snapshotBytes + snapshot.bytes <= limits.chunkBytesMax)
        case .release: adoptions.isEmpty && snapshots.isEmpty && releases.count < limits.slotsPerFrameMax
        }
    }

    mutating func append(_ part: Part) {
        switch part {
        case .adopt(let adoption): adoptions.append(adoption)
        case .snapshot(let snapshot):
            snapshots.append(snapshot)
            snapshotBytes += snapshot.bytes
        case .release(let slot): releases.append(slot)
        }
    }

    /// Removes everything and returns it as one frame; `nil` if there is nothing.
    mutating func removeAll() -> SlotFrame? {
        if isEmpty { return nil }
        defer { self = SlotBatch() }
        if !adoptions.isEmpty { return .adopt(adoptions) }
        return snapshots.isEmpty ? .release(releases) : .snapshots(snapshots)
    }
}
