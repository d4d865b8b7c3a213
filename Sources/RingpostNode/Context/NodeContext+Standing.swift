// What is wrong with the node for as long as it is, for readiness, metrics and operators.
import RingpostCore
import RingpostWire

extension NodeContext {
    /// What the membership and the shards have told of it.
    struct Standing: Sendable {
        var alarms: [StandingAlarm] { own + (slowShards.isEmpty ? [] : [StandingAlarm(.storeSlow, NodeContext.diskIsSlow)]) + told }
        /// What the membership has told last.
        fileprivate var told: [StandingAlarm] = []
        /// What stands as long as the process runs.
        fileprivate var own: [StandingAlarm] = []
        /// Shards whose ticks wait for the disk for too long.
        var slowShards: Set<Int> = []
        /// Some of what the store has can't be read.
        var hasDamage = false
        /// Slots that nobody serves; `nil` when there are none.
        var slotsWait: SlotWatch.Report?
        /// What each shard has counted.
        fileprivate var waits: [Int: SlotWaits] = [:]
    }

    var standing: Standing { standingFacts.withLock { $0 } }
    func setStanding(_ alarms: [StandingAlarm]) { standingFacts.withLock { $0.told = alarms } }
    func addAlarm(_ alarm: StandingAlarm) { standingFacts.withLock { $0.own.append(alarm) } }
    func setSlotsWait(_ report: SlotWatch.Report?) { standingFacts.withLock { $0.slotsWait = report } }

    /// A shard has counted its slots that nobody serves.
    func setWaits(_ waits: SlotWaits, ofShard shardIndex: Int) { standingFacts.withLock { $0.waits[shardIndex] = waits } }

    /// Tells the membership how many there are on all shards. One shard does it, so that no older sum comes last, and again and again, because
    /// the membership drops what is too much at once.
    func tellWaits() {
        let all = standingFacts.withLock { $0.waits.values.reduce(into: SlotWaits()) { $0 += $1 } }
        tell(.slotsWait(all))
    }
}

extension NodeReport.Waiting {
    init(_ report: SlotWatch.Report, now: Int64) {
        self.init(
            slots: report.slots, for: report.names, disks: report.disks.isEmpty ? nil : report.disks,
            seconds: Int((now - report.since) / 1_000),
            secondsLeft: report.until.map { Int(max(0, $0 - now) / 1_000) })
    }
}
