// What one node knows of one slot: the copy that it holds, and what it does with it as the slot's owner, or on the way
// to becoming that.
import DequeModule

/// What this node holds of a slot's log and mailboxes.
struct SlotCopy: Hashable {
    enum State: UInt8 {
        /// Nothing, or nothing that counts. Can transition to complete.
        case none
        /// Everything up to `position`. Can transition to none, when it is released or when this node loses its session.
        case complete
    }

    var state = State.none
    /// The term of the last owner frame that this copy accepted (not of a fence), or in which this node is the owner.
    var term: UInt64 = 0
    /// The number of the last step of the log that it holds.
    var position: UInt64 = 0
}

/// A slot as this node sees it.
struct Slot {
    /// The highest term that was heard of: lower ones are refused.
    var fence: UInt64 = 0
    var copy = SlotCopy()
    /// Set while this node is the owner.
    var owner: Ownership?
    /// When somebody has found that nobody has a copy: the wait goes on under the next owner.
    var vacantSince: Int64?
    /// The accepted connection on which the owner last wrote: late acknowledgements go there.
    var connectionID: UInt32 = 0

    /// Looks without taking a copy of ``owner``, as a comparison with `nil` does.
    var isOwned: Bool { if case .some = owner { true } else { false } }
}

/// A slot that this node is to own, before it has its history.
struct SlotTakeover {
    enum Phase {
        /// Nobody was asked: its turn has not come. Can transition to asking.
        case queued
        /// Not every member has answered. Can transition to every other one.
        case asking
        /// Nobody has a copy; it is waited until nobody can be acting as owner any more. Can transition to the end.
        case vacant(since: Int64)
        /// The best copy is elsewhere. Can transition to asking (when it is gone) and to the end.
        case fetching(from: Int, isAsked: Bool)
    }

    let term: UInt64
    var phase = Phase.queued
    /// Members that have not answered.
    var unanswered: [Int]
    /// Complete copies of others.
    var found: [(peer: Int, copy: SlotCopy)] = []
    /// For how long somebody has known already that nobody has a copy.
    var vacantFor: Int64 = 0
    /// When the last of the members that came in place of another boot of their own did so.
    var lastSuccession = Int64.min
    /// The pieces that have come of the best copy.
    var pieces: [SnapshotChunk] = []
    /// Somebody wants something of it: it goes before the queue.
    var isPulled = false
    /// Attachments that wait for the slot.
    var attaches: [AttachRequest] = []

    var isQueued: Bool { if case .queued = phase { true } else { false } }
}

/// Another member as a loop knows it.
struct SlotPeer {
    let identity: MemberIdentity
    /// The handle of the link that this node has dialled, while it is up.
    var link: UInt32?
    /// There was one at some time.
    var wasLinked = false
    var isMember = true
    /// Slots whose copies wait to be sent to it, in the order in which they are to be sent.
    var queue: Deque<Int> = []
    /// Copies sent to it and not confirmed.
    var underWay: Set<Int> = []
    var fetches: Deque<Int> = []
    var fetchesUnderWay: Set<Int> = []
    /// What was decided in this event.
    var batch = SlotBatch()
}

extension Deque<Int> {
    /// Puts a slot at the end. One that stands in a queue twice does no harm: at its second turn there is nothing to do. Where a queue
    /// would hold more than twice the number of all slots, each stays in it once.
    mutating func append(_ slot: Int, slotsMax: Int) {
        if count >= 2 * slotsMax {
            var seen: Set<Int> = []
            removeAll { !seen.insert($0).inserted }
        }
        append(slot)
    }
}

/// Bounds of one event loop's slots.
public struct SlotLimits: Sendable {
    /// Copies that are under way to, or from, one member at once; a publish or an attachment pulls its slot past this.
    public var copiesUnderWayMax = 64
    /// Slots that are begun, and copies that are sent, at one time; then live traffic has its turn for ``movePauseMilliseconds``. What a
    /// publish waits for is not held up. Begins small, because what sockets wait for comes first and is the most work, and grows by one
    /// with every ``movesGrowth`` lots up to ``movesMax``.
    public var movesAtFirst = 4
    /// See ``movesAtFirst``.
    public var movesMax = 128
    /// See ``movesAtFirst``.
    public static let movesGrowth = 16
    /// The time between two lots.
    public static let movePauseMilliseconds: Int64 = 10
    /// Slots that are looked at in one go when an epoch means something to many, each action that follows counted as several; then all
    /// else has its turn. It takes a few tenths of a millisecond.
    public var looksMax = 256
    /// See ``looksMax``.
    static let looksPerAction = 4
    /// Bytes of one piece of a copy.
    public var pieceBytesMax = 256 * 1_024
    /// Steps of the logs that wait to be confirmed; beyond it publishes are refused as overloaded.
    public var uncommittedMax = 65_536
    /// Bytes of the messages in them; see ``uncommittedMax``.
    public var uncommittedBytesMax = 64 * 1_024 * 1_024
    /// Attachments that wait for an epoch or for a slot; beyond it they are told to ask again.
    public var attachesMax = 65_536
    /// Frames that wait for an epoch, and their bytes; beyond it their connection is closed, and all is said again.
    public var parkedFramesMax = 16_384
    /// See ``parkedFramesMax``.
    public var parkedBytesMax = 16 * 1_024 * 1_024
    /// Slots in one question, or in one answer.
    public var slotsPerFrameMax = 4_096
    /// How long it takes until a question about the roster that had no answer is asked again.
    public var rosterRetryMilliseconds: Int64 = 1_000

    /// The defaults.
    public init() {}
}

/// A guard that a test switches off, to see that its absence is noticed.
package enum GuardFault: String, CaseIterable, Sendable {
    case deliverBeforeCommit, ignoreTerm, noLease, promoteWithoutAsking, sameMemberAnyBoot, releaseEarly, forgetWindow
}
