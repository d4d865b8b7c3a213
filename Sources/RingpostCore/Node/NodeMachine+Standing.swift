// What is wrong with this node for as long as it is, put together from what its machines know, and told when it changes.

extension NodeMachine {
    /// What was told last.
    struct Told: Sendable {
        var alarms: [StandingAlarm] = []
        var waits: SlotWatch.Report?
    }

    private var sessionTimeoutMilliseconds: Int {
        document?.sessionTimeoutMilliseconds ?? ClusterDocument.sessionTimeoutMillisecondsDefault
    }

    /// When the slots have waited for too long.
    func nextWatchWake(now: Int64) -> Int64? { slotWatch.nextWake(sessionTimeoutMilliseconds, now: now) }

    mutating func tellStanding(now: Int64, _ actions: inout [NodeAction]) {
        let alarms = standing(now: now)
        if alarms != told.alarms {
            // All other machines say theirs themselves.
            if let alarm = alarms.first(where: { $0.kind == .slotsWait }), !told.alarms.contains(where: { $0.kind == .slotsWait }) {
                actions.append(.log(.alarm, alarm.sentence))
            }
            told.alarms = alarms
            actions.append(.standing(alarms))
        }
        let waits = slotWatch.report(sessionTimeoutMilliseconds, now: now)
        if waits == told.waits { return }
        told.waits = waits
        actions.append(.slotsWait(waits))
    }

    private func standing(now: Int64) -> [StandingAlarm] {
        var alarms: [StandingAlarm] = []
        func add(_ kind: StandingAlarm.Kind, _ sentence: String?) { if let sentence { alarms.append(StandingAlarm(kind, sentence)) } }
        if case .zooKeeper(let membership) = cluster {
            add(.zooKeeperLostData, membership.loss)
            add(
                .otherRing,
                membership.hasMetOtherRing
                    ? "ZooKeeper holds another ring of this name; start this node again, so that it can join that one" : nil)
            let garbage = membership.garbage.keys.sorted().prefix(MembershipMachine.garbageNamedMax)
            add(.badMembers, garbage.isEmpty ? nil : "left out of the ring, delete what is no member: \(garbage.joined(separator: ", "))")
            add(.shortLives, membership.weightObjection)
        }
        add(.lastCopies, withdrawal?.objection)
        add(.slotsWait, slotWatch.sentence(sessionTimeoutMilliseconds, now: now))
        return alarms
    }
}
