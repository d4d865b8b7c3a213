// What an owner has to say to one holder about many slots goes into one frame as long as one event is handled: a join moves tens of
// thousands of slots, and most of them have nothing in them.

/// Parts of one kind for one member, in the order in which they are to be said.
struct SlotBatch {
    enum Part {
        case adopt(SlotAdoption)
        case fill(SnapshotTransfer)
        case release(SlotTerm)
    }

    private var adoptions: [SlotAdoption] = []
    private var fills: [SnapshotTransfer] = []
    private var releases: [SlotTerm] = []
    private var fillBytes = 0

    var isEmpty: Bool { adoptions.isEmpty && fills.isEmpty && releases.isEmpty }

    /// Whether it may go into the same frame.
    func takes(_ part: Part, limits: SlotLimits) -> Bool {
        switch part {
        case .adopt: fills.isEmpty && releases.isEmpty && adoptions.count < limits.slotsPerFrameMax
        case .fill(let fill):
            adoptions.isEmpty && releases.isEmpty && fills.count < limits.slotsPerFrameMax
                && (fills.isEmpty || fillBytes + fill.bytes <= limits.pieceBytesMax)
        case .release: adoptions.isEmpty && fills.isEmpty && releases.count < limits.slotsPerFrameMax
        }
    }

    mutating func append(_ part: Part) {
        switch part {
        case .adopt(let adoption): adoptions.append(adoption)
        case .fill(let fill):
            fills.append(fill)
            fillBytes += fill.bytes
        case .release(let slot): releases.append(slot)
        }
    }

    /// Takes everything out as one frame; `nil` if there is nothing.
    mutating func take() -> SlotFrame? {
        if isEmpty { return nil }
        defer { self = SlotBatch() }
        if !adoptions.isEmpty { return .adopt(adoptions) }
        return fills.isEmpty ? .release(releases) : .fill(fills)
    }
}

extension ShardMachine {
    /// To a holder, at the end of the event or before anything else that is said to it.
    mutating func send(_ part: SlotBatch.Part, to peer: Int, actions: inout [ShardAction]) {
        guard peers[peer].link != nil else { return }
        if !peers[peer].batch.takes(part, limits: limits.slots) { sendBatch(to: peer, actions: &actions) }
        if peers[peer].batch.isEmpty { batched.append(peer) }
        peers[peer].batch.append(part)
    }

    /// To a holder at once.
    mutating func send(_ frame: SlotFrame, to peer: Int, actions: inout [ShardAction]) {
        guard let link = peers[peer].link else { return }
        sendBatch(to: peer, actions: &actions)
        actions.append(.send(peer: link, frame))
    }

    mutating func sendBatches(actions: inout [ShardAction]) {
        if batched.isEmpty { return }
        for peer in batched { sendBatch(to: peer, actions: &actions) }
        batched.removeAll(keepingCapacity: true)
    }

    private mutating func sendBatch(to peer: Int, actions: inout [ShardAction]) {
        guard let frame = peers[peer].batch.take(), let link = peers[peer].link else { return }
        actions.append(.send(peer: link, frame))
    }
}
