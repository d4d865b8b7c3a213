// The frames that two nodes exchange about a slot. The owner asks over the link that it has dialled, the holder of a copy
// answers on the same connection; what a broken link has lost is sent again on the next one, and no frame does harm
// when it comes twice. See docs/architecture/copies.md.
//
// Times in frames (`expiresAt`, `until`, and in copies `appendedAt`) are milliseconds counted from the moment of sending: clocks are a node's own.
import HashRing

/// One frame about slots. `term` is the epoch in which the owner began: what it may do rests on that, and a holder that knows it can
/// judge. The newest epoch of the sender does not matter, or one node that hears of it late would hold up all slots that stay.
public enum SlotFrame: Hashable, Sendable {
    // From the owner:

    /// Asks which copies the member has, and fences lower terms of these slots.
    case inquire(term: UInt64, slots: [UInt16])
    /// Asks for a copy.
    case fetch(term: UInt64, slot: UInt16)
    /// The owner goes on from the copies that were written under `base` and end at `position`: they need not be sent.
    case adopt([SlotAdoption])
    /// Chunks of copies; with its last one a copy is complete.
    case snapshots([SnapshotTransfer])
    /// One more step of the log.
    case append(term: UInt64, slot: UInt16, position: UInt64, SlotEntry)
    /// The holder's copies are not needed any more; what it is to know instead.
    case release([SlotRelease])
    /// Who is waited for, because somebody is not waited for any more. Has no answer.
    case keepers([SlotKeepers])

    // From the holder, over the link that it has dialled:

    /// Copies of an earlier session that nobody has taken or released. Has no answer.
    case retained(epoch: UInt64, [SlotHolding])

    // From the holder:

    /// The holder's copies of the slots that were asked for.
    case holdings(term: UInt64, [SlotHolding])
    /// A chunk of the copy that was to be fetched; `nil` when there is none any more.
    case chunk(term: UInt64, slot: UInt16, SnapshotChunk?)
    /// The copy is complete under this term up to this position.
    case acknowledge(term: UInt64, slot: UInt16, position: UInt64)
    /// The same of all copies that one frame was about.
    case acknowledgeCopies([SlotPosition])
    /// The copy does not fit what was said of it: send it whole.
    case mismatch(term: UInt64, slot: UInt16)
    /// The copies are gone.
    case released([SlotTerm])
    /// The sender is not the owner in this term, or not any more; it may begin anew at `minimum` or above.
    case refused(term: UInt64, slot: UInt16, minimum: UInt64)

    /// The epoch that the receiver has to know before it looks at the frame; 0 for answers.
    public var epoch: UInt64 {
        switch self {
        case .inquire(let term, _), .fetch(let term, _), .append(let term, _, _, _): term
        case .adopt(let adoptions): adoptions.reduce(0) { max($0, $1.term) }
        case .snapshots(let transfers): transfers.reduce(0) { max($0, $1.term) }
        case .release(let slots): slots.reduce(0) { max($0, $1.evidence.term) }
        case .keepers(let slots): slots.reduce(0) { max($0, $1.term) }
        case .retained(let epoch, _): epoch
        case .holdings, .chunk, .acknowledge, .acknowledgeCopies, .mismatch, .released, .refused: 0
        }
    }

    /// About how many bytes it takes beyond a small frame's, for bounds.
    var payloadBytes: Int {
        switch self {
        case .append(_, _, _, .message(_, _, let message, _)): message.envelope.count
        case .snapshots(let transfers): transfers.reduce(0) { $0 + $1.bytes }
        case .inquire(_, let slots): slots.count * MemoryLayout<UInt16>.stride
        case .adopt(let adoptions): adoptions.reduce(0) { $0 + MemoryLayout<SlotAdoption>.stride + $1.set.bytes }
        case .release(let slots): slots.reduce(0) { $0 + MemoryLayout<SlotRelease>.stride + $1.evidence.set.bytes }
        case .keepers(let slots): slots.reduce(0) { $0 + MemoryLayout<SlotKeepers>.stride + $1.set.bytes }
        case .retained(_, let holdings): holdings.reduce(0) { $0 + MemoryLayout<SlotHolding>.stride + $1.content.setBytes }
        default: 0
        }
    }
}

/// A holder's answer about one slot.
public struct SlotHolding: Hashable, Sendable {
    /// Which slot.
    public let slot: UInt16
    /// The copy, if there is one.
    public let content: Content

    /// A copy, or none.
    public enum Content: Hashable, Sendable {
        /// Complete and not released: written last under `term`, as long as `position`. `isCurrent`: an owner's frame was accepted under the
        /// holder's present boot.
        case copy(term: UInt64, position: UInt64, set: LineageSet = LineageSet(), isCurrent: Bool = true)
        /// No copy. `vacant`: for so many milliseconds this node has known, as an owner, that no member has one. `quiet`: for so many
        /// milliseconds this boot has stood in the place of an earlier boot, which may have had one; `Int64.max` if there was none.
        /// `evidence`: of one that was here.
        case none(vacant: Int64, quiet: Int64, evidence: SlotEvidence? = nil)

        var setBytes: Int {
            switch self {
            case .copy(_, _, let set, _): set.bytes
            case .none(_, _, let evidence): evidence?.set.bytes ?? 0
            }
        }
    }

    /// A slot and the holder's copy of it.
    public init(slot: UInt16, content: Content) {
        self.slot = slot
        self.content = content
    }
}

/// A slot and the term of who speaks of it as its owner.
public struct SlotTerm: Hashable, Sendable {
    /// Which slot.
    public let slot: UInt16
    /// The epoch in which its owner began.
    public let term: UInt64

    /// A slot under an owner's term.
    public init(slot: UInt16, term: UInt64) {
        self.slot = slot
        self.term = term
    }
}

/// A slot of which a holder lets go.
public struct SlotRelease: Hashable, Sendable {
    /// Which slot.
    public let slot: UInt16
    /// The owner's term, what it has committed, and who has that without the holder.
    public let evidence: SlotEvidence

    /// A slot and what remains.
    public init(slot: UInt16, evidence: SlotEvidence) {
        self.slot = slot
        self.evidence = evidence
    }

    /// As it is confirmed.
    var asTerm: SlotTerm { SlotTerm(slot: slot, term: evidence.term) }
}

/// Who is waited for in a slot.
public struct SlotKeepers: Hashable, Sendable {
    /// Which slot.
    public let slot: UInt16
    /// The owner's term.
    public let term: UInt64
    /// Who is waited for.
    public let set: LineageSet

    /// A slot's set under an owner's term.
    public init(slot: UInt16, term: UInt64, set: LineageSet) {
        self.slot = slot
        self.term = term
        self.set = set
    }
}

/// Which copy of a slot its new owner goes on from.
public struct SlotAdoption: Hashable, Sendable {
    /// Which slot.
    public let slot: UInt16
    /// The new owner's term.
    public let term: UInt64
    /// Under which term the copy was written last.
    public let base: UInt64
    /// Where it ends.
    public let position: UInt64
    /// Who is waited for from now on.
    public let set: LineageSet

    /// One slot of an adoption.
    public init(slot: UInt16, term: UInt64, base: UInt64, position: UInt64, set: LineageSet = LineageSet()) {
        self.slot = slot
        self.term = term
        self.base = base
        self.position = position
        self.set = set
    }
}

/// Up to where a holder has a slot's log.
public struct SlotPosition: Hashable, Sendable {
    /// Which slot.
    public let slot: UInt16
    /// Under whose term the copy is complete.
    public let term: UInt64
    /// The number of the last step.
    public let position: UInt64

    /// One slot of an acknowledgement.
    public init(slot: UInt16, term: UInt64, position: UInt64) {
        self.slot = slot
        self.term = term
        self.position = position
    }
}

/// A chunk of a copy that an owner sends.
public struct SnapshotTransfer: Hashable, Sendable {
    /// Of which slot.
    public let slot: UInt16
    /// The owner's term.
    public let term: UInt64
    /// The chunk.
    public let chunk: SnapshotChunk

    /// A chunk of one slot's copy.
    public init(slot: UInt16, term: UInt64, chunk: SnapshotChunk) {
        self.slot = slot
        self.term = term
        self.chunk = chunk
    }

    var bytes: Int { MemoryLayout<SnapshotTransfer>.stride + chunk.payloadBytes }
}
