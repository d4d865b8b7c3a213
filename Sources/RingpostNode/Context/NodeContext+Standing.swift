// What is wrong with the node for as long as it is, for readiness, metrics and operators.
import RingpostCore

extension NodeContext {
    /// What the membership and the shards have told of it.
    struct Standing: Sendable {
        var alarms: [StandingAlarm] = []
        /// Slots that nobody serves; `nil` when there are none.
        var slotsWait: SlotWatch.Report?
        /// What each shard has counted.
        fileprivate var waits: [Int: SlotWaits] = [:]
    }

    var standing: Standing { standingFacts.withLock { $0 } }
    func setStanding(_ alarms: [StandingAlarm]) { standingFacts.withLock { $0.alarms = alarms } }
    func setSlotsWait(_ report: SlotWatch.Report?) { standingFacts.withLock { $0.slotsWait = report } }

    /// A shard has counted its slots that nobody serves.
    func setWaits(_ waits: SlotWaits, ofShard shardIndex: Int) {
        let all = standingFacts.withLock { standing -> SlotWaits? in
            if waits == standing.waits[shardIndex, default: SlotWaits()] { return nil }
            standing.waits[shardIndex] = waits
            return standing.waits.values.reduce(into: SlotWaits()) { $0 += $1 }
        }
        if let all { tell(.slotsWait(all)) }
    }
}

extension SlotWatch.Report {
    /// For how many seconds they wait at most from now on.
    func secondsLeft(now: Int64) -> Int? { until.map { Int(max(0, $0 - now) / 1_000) } }

    /// How many, for whom, until when.
    func sentence(now: Int64) -> String {
        let whom = names.isEmpty ? "" : " for \(names.joined(separator: ", "))"
        let left = secondsLeft(now: now).map { ", and begin anew in \($0) s" } ?? ""
        return "\(slots) slots have waited\(whom) for \((now - since) / 1_000) s\(left)"
    }
}
