// Who might still have a copy, or believe that it may act: asked by a new owner when no member has a copy of a slot. And the lock of the
// member that withdraws.

import RingpostCore

extension MembershipService {
    /// So many of those that the roster names are asked at a time who they are.
    static let probesUnderWayMax = 32

    /// How many milliseconds a slot of which no member has a copy must be waited for before it begins anew.
    ///
    /// - Returns: 0 if every boot that the roster names is a member or this process; S + H if nobody listens where the others were; the
    ///   recovery wait if their addresses answer with another boot, or their copies are on a disk; S + H + M otherwise. `nil` if the
    ///   roster can't be read: then nothing may be concluded, and somebody should ask again. While ZooKeeper is away the answer
    ///   waits for it.
    ///
    /// - Parameter epoch: in which every member has been asked; the newest one unless given. In another one the answer is `nil`.
    public func vacancyWait(at epoch: UInt64? = nil) async -> Int64? {
        if configuration.servers == nil { return 0 }
        guard let view = machine.view, view.epoch == epoch ?? view.epoch else { return nil }
        // Every shard asks at about the same time.
        let epoch = view.epoch
        if let check = vacancyChecks[epoch] { return await check.value }
        let check = Task { await readVacancy(at: epoch) }
        vacancyChecks[epoch] = check
        let answer = await check.value
        vacancyChecks[epoch] = nil
        return answer
    }

    private func readVacancy(at epoch: UInt64) async -> Int64? {
        guard let store = session?.store else { return nil }
        let roster: MembershipStore.Roster
        do { roster = try await store.roster() } catch {
            logger.warning("the roster can't be read", metadata: ["why": "\(error)"])
            return nil
        }
        complain(roster.faults)
        // Who has come meanwhile has to be asked for its copies first.
        guard machine.view?.epoch == epoch else { return nil }
        let strangers = machine.strangers(in: roster.entries)
        handle(.rosterRead(strangers: strangers))
        switch machine.vacancy(roster: roster.entries, unreadable: roster.faults.count) {
        case nil: return nil
        case .wait(0): return 0
        case .wait(let milliseconds):
            say(strangers, milliseconds)
            return milliseconds
        case .ask(let strangers):
            guard let milliseconds = machine.vacancyWait(after: await probe(strangers)) else { return nil }
            say(strangers, milliseconds)
            return milliseconds
        }
    }

    /// An entry that can't be read stays so until somebody deletes it.
    private func complain(_ faults: [String]) {
        if faults == rosterFaults { return }
        rosterFaults = faults
        guard let first = faults.first else { return }
        let more = faults.count > 1 ? ", and \(faults.count - 1) more like it" : ""
        perform([
            .log(.alarm, "\(first)\(more): it counts as a member that can't be asked, so slots without a copy wait longest; delete it")
        ])
    }

    /// Once, although it is looked at again and again.
    private func say(_ strangers: [Member], _ milliseconds: Int64) {
        if strangers.isEmpty { return }
        let names = strangers.prefix(8).map { "\($0.identity)" }.joined(separator: ", ")
        if names == strangersSaid { return }
        strangersSaid = names
        logger.notice(
            "no members, but in the roster: \(names)", metadata: ["waitMilliseconds": "\(milliseconds)"])
    }

    /// What their addresses answer, up to the first who may still act.
    private func probe(_ members: [Member]) async -> [(member: Member, result: ProbeResult)] {
        let probe = hooks.probe
        var all: [(member: Member, result: ProbeResult)] = []
        for start in stride(from: 0, to: members.count, by: Self.probesUnderWayMax) {
            all += await withTaskGroup(of: (Member, ProbeResult).self) { group in
                for member in members[start...].prefix(Self.probesUnderWayMax) { group.addTask { (member, await probe(member)) } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            if all.contains(where: \.result.mayStillAct) { break }
        }
        return all
    }

    // MARK: - Withdrawing

    /// Tries to become the one member that may withdraw.
    func takeWithdrawalLock(as member: MemberIdentity) async -> WithdrawalMachine.LockAnswer {
        guard machine.identity == member, let store = session?.store else { return .failed }
        do { return try await store.takeWithdrawalLock(for: member) } catch {
            logger.warning("the lock for withdrawing can't be taken", metadata: ["why": "\(error)"])
            return .failed
        }
    }

    /// Lets others have it. Whether it is done, or has gone with the session that had it.
    func releaseWithdrawalLock(of member: MemberIdentity) async -> Bool {
        guard machine.identity == member, let store = session?.store else { return true }
        do {
            try await store.releaseWithdrawalLock(of: member)
            return true
        } catch {
            logger.debug("the lock for withdrawing can't be released yet", metadata: ["why": "\(error)"])
            return false
        }
    }
}
