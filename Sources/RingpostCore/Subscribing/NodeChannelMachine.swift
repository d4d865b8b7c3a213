// A channel as one node listens to it, as decisions only: one attachment at the owner, however many of the node's clients subscribe. Which
// shards get what comes, who waits until the node itself is attached, what the owner is told of who listens, and when it is over.

/// One channel of one node, on the shard of the channel's slot.
public struct NodeChannelMachine {
    /// The attachment is kept for so long without a subscription: pollers come again, and so do clients that reconnect.
    public static let lingerMilliseconds: Int64 = 5_000
    /// Subscriptions' questions that wait for the node's own attachment; beyond it they are refused, and asked again.
    public static let questionsMax = 65_536

    /// Shards with clients that subscribe.
    public private(set) var shards: Set<Int> = []
    /// Those of them with clients that want to hear who comes and goes.
    public private(set) var watching: Set<Int> = []
    private var questions: [ReturnAddress: AttachRequest] = [:]
    private var emptySince: Int64 = .max
    private var presence = PresenceTally<Int>()
    private var wantsList = false
    private var saysWatching = false
    /// The attachment under which the owner knows who listens here.
    private var reported: ReturnAddress?

    /// Nobody subscribes.
    public init() {}

    // MARK: The shards

    /// A shard has its first client that subscribes.
    public mutating func addShard(_ shard: Int) {
        shards.insert(shard)
        emptySince = .max
    }

    /// A shard has none any more.
    public mutating func removeShard(_ shard: Int, now: Int64) {
        shards.remove(shard)
        watching.remove(shard)
        presence.remove(shard)
        if shards.isEmpty { emptySince = now }
    }

    /// Nobody has subscribed for so long that the attachment is given up.
    public func isOver(now: Int64) -> Bool { shards.isEmpty && now - emptySince >= Self.lingerMilliseconds }

    // MARK: Questions

    /// What becomes of a question.
    public enum Turn: Equatable, Sendable {
        /// The owner is asked at once.
        case now
        /// It waits for the node's own attachment.
        case later
        /// It is refused, and asked again.
        case never
    }

    /// A subscription wants the messages that it has not seen. The owner's answer must not come before what the node's own attachment brings
    /// from then on: what lies between the two would be lost.
    ///
    /// - Parameter isLive: the node's own attachment brings what comes.
    public mutating func ask(_ request: AttachRequest, isLive: Bool) -> Turn {
        if isLive { return .now }
        guard questions.count < Self.questionsMax else { return .never }
        questions[request.address] = request
        return .later
    }

    /// Who asked is gone.
    public mutating func forget(_ address: ReturnAddress) { questions[address] = nil }

    /// All who wait, when the node's own attachment is live or given up; in the order of their addresses.
    public mutating func takeQuestions() -> [AttachRequest] {
        if questions.isEmpty { return [] }
        defer { questions = [:] }
        return questions.values.sorted { one, other in
            (one.address.connectionID, one.address.id) < (other.address.connectionID, other.address.id)
        }
    }

    // MARK: Presence

    /// A shard says who listens there. One that was not heard of before has to say everything.
    ///
    /// - Returns: whether it counts.
    public mutating func onReport(_ report: PresenceReport, from shard: Int) -> Bool {
        guard shards.contains(shard), report.isWhole || presence.isKnown(shard) else { return false }
        presence.apply(report, from: shard)
        if report.wantsNews { watching.insert(shard) } else { watching.remove(shard) }
        if report.wantsNews, report.wantsList { wantsList = true }
        return true
    }

    /// Whether the owner has been told under this attachment; a new owner, or the same one anew, knows nothing of who listens.
    public func isReported(under attachment: ReturnAddress?) -> Bool { attachment == reported }

    /// What the owner is to be told now, where that has changed; a new owner everything.
    public mutating func report(under attachment: ReturnAddress) -> PresenceReport? {
        let watches = !watching.isEmpty
        if attachment != reported {
            presence.beginAnew()
            wantsList = watches
        }
        defer {
            reported = attachment
            wantsList = false
            saysWatching = watches
        }
        guard presence.hasNews || wantsList || watches != saysWatching else { return nil }
        return presence.report(wantsNews: watches, wantsList: wantsList && watches)
    }
}
