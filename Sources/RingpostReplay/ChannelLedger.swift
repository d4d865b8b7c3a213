// The judge of a replay's channels: what was said on which channel, what came to each of its subscribers, and what is wrong with it.

/// Holds every message that a run says on channels against what their subscribers got.
///
/// Messages are numbered 0, 1, 2 … in the order in which each channel's subscribers must get its own. All times are microseconds of one
/// clock. What is wrong is counted by delivery: a message that two subscribers lack is lost twice.
package struct ChannelLedger: Sendable {
    private struct Entry {
        let channel: UInt32
        var sentAt: Int64 = 0
        /// By the receipt; 0 before it.
        var sequence: UInt64 = 0
        /// Where the last subscriber saw it; 0 before one did.
        var seenSequence: UInt64 = 0
        /// To so many subscribers it has come.
        var received: UInt32 = 0
    }

    /// Where a subscriber of a channel stands.
    private struct Standing {
        var incarnation: UInt64 = 0
        var sequence: UInt64 = 0
        /// One more than the number of the latest message that came.
        var after = 0
    }

    private var entries: [Entry]
    /// By channel.
    private let subscribers: [UInt32]
    /// By channel and place: every subscriber must see the same message there.
    private var order: [[UInt64: Int]]
    private var standings: [UInt64: Standing] = [:]
    private var verdictSoFar = DeliveryLedger.Verdict()
    /// Deliveries of what was sent that have not come yet.
    package private(set) var missing = 0

    /// - Parameters:
    ///   - messages: by message, the number of its channel.
    ///   - subscribers: by channel, how many subscribe to it.
    package init(messages: [UInt32], subscribers: [Int]) {
        entries = messages.map { Entry(channel: $0) }
        self.subscribers = subscribers.map(UInt32.init)
        order = Array(repeating: [:], count: subscribers.count)
        verdictSoFar.planned = messages.reduce(0) { $0 + subscribers[Int($1)] }
    }

    // MARK: What producers see

    /// The message is about to leave.
    package mutating func onSend(_ number: Int, at now: Int64) {
        entries[number].sentAt = now
        missing += Int(subscribers[Int(entries[number].channel)]) - Int(entries[number].received)
    }

    /// The message has a receipt.
    package mutating func onReceipt(_ number: Int, sequence: UInt64) {
        entries[number].sequence = sequence
        verdictSoFar.acknowledged += 1
        checkSequence(number)
    }

    /// The message has none, and it will not be sent again.
    package mutating func onFailure(_ number: Int, mayBeAppended: Bool) {
        missing -= Int(subscribers[Int(entries[number].channel)]) - Int(entries[number].received)
        if mayBeAppended { verdictSoFar.unknown += 1 } else { verdictSoFar.refused += 1 }
    }

    // MARK: What subscribers see

    /// A subscriber is told that a channel's history was lost.
    package mutating func onGap(_ subscriber: Int, channel: Int) {
        verdictSoFar.gaps += 1
        standings[Self.index(subscriber, channel)]?.incarnation = 0
    }

    /// A message comes.
    ///
    /// - Parameter number: what its payload says; `nil` when it says none.
    /// - Returns: how long it took, when it came to this subscriber for the first time.
    package mutating func onMessage(
        _ number: Int?, on channel: Int, to subscriber: Int, incarnation: UInt64, sequence: UInt64, at now: Int64
    ) -> Int64? {
        guard let number, number >= 0, number < entries.count, Int(entries[number].channel) == channel else {
            verdictSoFar.foreign += 1
            return nil
        }
        let index = Self.index(subscriber, channel)
        var standing = standings[index] ?? Standing()
        if standing.incarnation == incarnation {
            if sequence <= standing.sequence {
                verdictSoFar.duplicated += 1
                return nil
            }
            if sequence > standing.sequence + 1 { verdictSoFar.holes += 1 }
        } else if standing.incarnation != 0 {
            verdictSoFar.holes += 1
        }
        if number < standing.after || (order[channel][sequence] ?? number) != number { verdictSoFar.outOfOrder += 1 }
        order[channel][sequence] = number
        standing = Standing(incarnation: incarnation, sequence: sequence, after: max(standing.after, number + 1))
        standings[index] = standing
        entries[number].seenSequence = sequence
        checkSequence(number)
        entries[number].received += 1
        verdictSoFar.delivered += 1
        missing -= 1
        return now - entries[number].sentAt
    }

    /// The verdict as of now: what has not come to somebody counts as lost.
    package var verdict: DeliveryLedger.Verdict {
        var verdict = verdictSoFar
        verdict.lost = entries.reduce(0) { lost, entry in
            entry.sequence == 0 ? lost : lost + Int(subscribers[Int(entry.channel)]) - Int(entry.received)
        }
        return verdict
    }

    /// The verdict without the lost ones, which take a walk over all messages to count.
    package var counts: DeliveryLedger.Verdict { verdictSoFar }

    private mutating func checkSequence(_ number: Int) {
        let entry = entries[number]
        if entry.sequence != 0, entry.seenSequence != 0, entry.sequence != entry.seenSequence { verdictSoFar.mismatched += 1 }
    }

    private static func index(_ subscriber: Int, _ channel: Int) -> UInt64 { UInt64(subscriber) << 32 | UInt64(channel) }
}
