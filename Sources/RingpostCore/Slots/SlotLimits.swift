// The bounds of what slots need, and the guards that tests of the tests switch off.

/// Bounds of one shard's slots.
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
    /// Bytes of one chunk of a copy.
    public var chunkBytesMax = 256 * 1_024
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
    /// Concerning lineages: a release leaves nothing behind; an owner of which the last set knows nothing goes on all the same; the best copy
    /// that is there is gone on from, whoever of its set is missing.
    case releaseWithoutTrace, newcomerAlone, bestIsCertain
}
