// The judge of a replay: what was sent to whom, what came to whom, and what is wrong with it. A value that is told what
// happened; it keeps a few numbers a message and no texts, so that a run of any length fits in memory.

/// Holds every message that a run sends against what its recipients got.
///
/// Messages are numbered 0, 1, 2 … in the order in which each recipient must get its own. All times are microseconds of one clock.
package struct DeliveryLedger: Sendable {
    /// What is wrong, and what was seen of it.
    package struct Verdict: Equatable, Sendable {
        /// Messages that the run meant to send.
        package var planned = 0
        /// Got a receipt.
        package var acknowledged = 0
        /// Came to their recipient at least once.
        package var delivered = 0
        /// Got a receipt and never came.
        package var lost = 0
        /// Came again.
        package var duplicated = 0
        /// Came after a later message of the same recipient.
        package var outOfOrder = 0
        /// Came to somebody else.
        package var misdelivered = 0
        /// Sequence numbers skipped without a gap having been announced.
        package var holes = 0
        /// Came with another sequence number than its receipt says.
        package var mismatched = 0
        /// Refused for good.
        package var refused = 0
        /// Nobody knows whether they were appended.
        package var unknown = 0
        /// Messages of others, or of no number.
        package var foreign = 0
        /// Times that a node said that history was lost.
        package var gaps = 0

        /// Everything planned came, once, in order, to the right one.
        package var isClean: Bool {
            lost + duplicated + outOfOrder + misdelivered + holes + mismatched + refused == 0 && delivered == planned
        }

        package init() {}
    }

    private struct Entry {
        let recipient: UInt32
        var sentAt: Int64 = 0
        /// By the receipt; 0 before it.
        var sequence: UInt64 = 0
        /// By the recipient's socket; 0 before it came.
        var receivedSequence: UInt64 = 0
        var state = State.planned
        var isReceived = false
    }

    private enum State: UInt8 {
        case planned
        case sent
        case acknowledged
        case refused
        case unknown
    }

    /// Where a recipient stands.
    private struct Standing {
        var incarnation: UInt64 = 0
        var sequence: UInt64 = 0
        /// One more than the number of the latest message that came.
        var after = 0
    }

    private var entries: [Entry]
    private var standings: [Standing]
    private var verdictSoFar = Verdict()
    /// Sent or acknowledged, and not come yet.
    package private(set) var missing = 0

    /// - Parameters:
    ///   - recipients: by message, the number of its recipient.
    ///   - recipientCount: recipients are numbered below this.
    package init(recipients: [UInt32], recipientCount: Int) {
        entries = recipients.map { Entry(recipient: $0) }
        standings = Array(repeating: Standing(), count: recipientCount)
        verdictSoFar.planned = recipients.count
    }

    // MARK: What producers see

    /// The message is about to leave.
    package mutating func onSend(_ number: Int, at now: Int64) {
        entries[number].sentAt = now
        entries[number].state = .sent
        if !entries[number].isReceived { missing += 1 }
    }

    /// The message has a receipt.
    package mutating func onReceipt(_ number: Int, sequence: UInt64) {
        entries[number].state = .acknowledged
        entries[number].sequence = sequence
        verdictSoFar.acknowledged += 1
        checkSequence(number)
    }

    /// The message has none, and it will not be sent again.
    package mutating func onFailure(_ number: Int, mayBeAppended: Bool) {
        entries[number].state = mayBeAppended ? .unknown : .refused
        if !entries[number].isReceived { missing -= 1 }
        if mayBeAppended { verdictSoFar.unknown += 1 } else { verdictSoFar.refused += 1 }
    }

    // MARK: What recipients see

    /// A recipient learns where it begins. Only the first time counts: later ones must not explain a hole away.
    package mutating func onAttached(_ recipient: Int, incarnation: UInt64, sequence: UInt64) {
        guard standings[recipient].incarnation == 0 else { return }
        standings[recipient].incarnation = incarnation
        standings[recipient].sequence = sequence
    }

    /// A recipient is told that history was lost.
    package mutating func onGap(_ recipient: Int, incarnation: UInt64, sequence: UInt64) {
        verdictSoFar.gaps += 1
        standings[recipient].incarnation = incarnation
        standings[recipient].sequence = sequence
    }

    /// A message comes.
    ///
    /// - Parameter number: what its payload says; `nil` when it says none.
    /// - Returns: how long it took, when it is the recipient's own and came for the first time.
    package mutating func onMessage(
        _ number: Int?, to recipient: Int, incarnation: UInt64, sequence: UInt64, at now: Int64
    ) -> Int64? {
        checkHole(recipient, incarnation: incarnation, sequence: sequence)
        guard let number, number >= 0, number < entries.count else {
            verdictSoFar.foreign += 1
            return nil
        }
        guard Int(entries[number].recipient) == recipient else {
            verdictSoFar.misdelivered += 1
            return nil
        }
        if entries[number].isReceived {
            verdictSoFar.duplicated += 1
            return nil
        }
        if number < standings[recipient].after { verdictSoFar.outOfOrder += 1 }
        standings[recipient].after = max(standings[recipient].after, number + 1)
        entries[number].isReceived = true
        entries[number].receivedSequence = sequence
        verdictSoFar.delivered += 1
        checkSequence(number)
        guard entries[number].state == .sent || entries[number].state == .acknowledged else { return nil }
        missing -= 1
        return now - entries[number].sentAt
    }

    /// The verdict as of now: what has not come counts as lost.
    package var verdict: Verdict {
        var verdict = verdictSoFar
        verdict.lost = entries.count { $0.state == .acknowledged && !$0.isReceived }
        return verdict
    }

    /// The verdict without the lost ones, which take a walk over all messages to count.
    package var counts: Verdict { verdictSoFar }

    private mutating func checkHole(_ recipient: Int, incarnation: UInt64, sequence: UInt64) {
        let standing = standings[recipient]
        standings[recipient].incarnation = incarnation
        if incarnation == standing.incarnation {
            if sequence > standing.sequence + 1 { verdictSoFar.holes += 1 }
            standings[recipient].sequence = max(sequence, standing.sequence)
        } else {
            // Another incarnation without a gap announced: whatever came before it was skipped silently.
            if standing.incarnation != 0 { verdictSoFar.holes += 1 }
            standings[recipient].sequence = sequence
        }
    }

    private mutating func checkSequence(_ number: Int) {
        let entry = entries[number]
        guard entry.isReceived, entry.state == .acknowledged, entry.sequence != entry.receivedSequence else { return }
        verdictSoFar.mismatched += 1
    }
}
