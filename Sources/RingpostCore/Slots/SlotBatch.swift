// What an owner has to say to one holder about many slots goes into one frame as long as one event is handled: a join moves tens of
// thousands of slots, and most of them have nothing in them.

/// Parts of one kind for one member, in the order in which they are to be said.
struct SlotBatch {
    enum Part {
        case adopt(SlotAdoption)
        case snapshot(SnapshotTransfer)
        case release(SlotRelease)
        case keepers(SlotKeepers)
        case inquire(SlotTerm)
        case retained(epoch: UInt64, SlotHolding)
    }

    private var adoptions: [SlotAdoption] = []
    private var snapshots: [SnapshotTransfer] = []
    private var releases: [SlotRelease] = []
    private var keepers: [SlotKeepers] = []
    private var inquiries: [SlotTerm] = []
    private var retained: (epoch: UInt64, holdings: [SlotHolding]) = (0, [])
    private var snapshotBytes = 0

    private var count: Int {
        adoptions.count + snapshots.count + releases.count + keepers.count + inquiries.count + retained.holdings.count
    }

    var isEmpty: Bool { count == 0 }

    /// Whether one more part may go into the same frame.
    func hasRoom(for part: Part, limits: SlotLimits) -> Bool {
        if isEmpty { return true }
        if count >= limits.slotsPerFrameMax { return false }
        switch part {
        case .adopt: return adoptions.count == count
        case .snapshot(let snapshot): return snapshots.count == count && snapshotBytes + snapshot.bytes <= limits.chunkBytesMax
        case .release: return releases.count == count
        case .keepers: return keepers.count == count
        case .inquire(let slot): return inquiries.count == count && inquiries.first?.term == slot.term
        case .retained(let epoch, _): return retained.holdings.count == count && retained.epoch == epoch
        }
    }

    mutating func append(_ part: Part) {
        switch part {
        case .adopt(let adoption): adoptions.append(adoption)
        case .snapshot(let snapshot):
            snapshots.append(snapshot)
            snapshotBytes += snapshot.bytes
        case .release(let slot): releases.append(slot)
        case .keepers(let slot): keepers.append(slot)
        case .inquire(let slot): inquiries.append(slot)
        case .retained(let epoch, let holding):
            retained.epoch = epoch
            retained.holdings.append(holding)
        }
    }

    /// Removes everything and returns it as one frame; `nil` if there is nothing.
    mutating func removeAll() -> SlotFrame? {
        if isEmpty { return nil }
        defer { self = SlotBatch() }
        if !adoptions.isEmpty { return .adopt(adoptions) }
        if !keepers.isEmpty { return .keepers(keepers) }
        if let term = inquiries.first?.term { return .inquire(term: term, slots: inquiries.map(\.slot)) }
        if !retained.holdings.isEmpty { return .retained(epoch: retained.epoch, retained.holdings) }
        return snapshots.isEmpty ? .release(releases) : .snapshots(snapshots)
    }
}
