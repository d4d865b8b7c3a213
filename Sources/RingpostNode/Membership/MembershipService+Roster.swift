// Who might still have a copy, or believe that it may act: asked by a new owner when no member has a copy of a slot.

import RingpostCore

extension MembershipService {
    /// So many of those that the roster names, and that are no members, are asked who they are. With more, the longest time is waited.
    static let departedMax = 256
    /// So many are asked at a time.
    static let probesUnderWayMax = 32

    /// How many milliseconds a slot of which no member has a copy must be waited for before it begins anew.
    ///
    /// - Returns: 0 if every boot that the roster names is a member or this process; S + H if the others are known to be gone, because
    ///   their addresses refuse connections or answer with another boot; S + H + M otherwise. `nil` if the roster can't be read: then
    ///   nothing may be concluded, and somebody should ask again. While ZooKeeper is away the answer waits for it.
    public func vacancyWait() async -> Int64? {
        if isEmbedded { return 0 }
        // Every event loop asks at about the same time.
        let epoch = machine.view?.epoch
        if let check = vacancyChecks[epoch] { return await check.value }
        let check = Task { await readVacancy() }
        vacancyChecks[epoch] = check
        let answer = await check.value
        vacancyChecks[epoch] = nil
        return answer
    }

    private func readVacancy() async -> Int64? {
        guard let document = machine.document, let store = session?.store else { return nil }
        let departed: [Member]
        do { departed = try await store.departed().filter { !machine.wasEver($0.identity) } } catch {
            logger.warning("the roster can't be read", metadata: ["why": "\(error)"])
            return nil
        }
        if departed.isEmpty { return 0 }
        let areGone = departed.count <= Self.departedMax ? await areGone(departed) : false
        let wait = areGone ? document.vacancyMillisecondsMin : document.vacancyMillisecondsMax
        let names = departed.prefix(8).map { "\($0.identity)" }.joined(separator: ", ")
        logger.notice("no members, but in the roster: \(names)", metadata: ["gone": "\(areGone)", "waitMilliseconds": "\(wait)"])
        return Int64(wait)
    }

    private func areGone(_ members: [Member]) async -> Bool {
        let probe = hooks.probe
        for start in stride(from: 0, to: members.count, by: Self.probesUnderWayMax) {
            let results = await withTaskGroup(of: ProbeResult.self) { group in
                for member in members[start...].prefix(Self.probesUnderWayMax) { group.addTask { await probe(member) } }
                return await group.reduce(into: []) { $0.append($1) }
            }
            guard results.allSatisfy({ $0 == .refused || $0 == .otherBoot }) else { return false }
        }
        return true
    }

    // MARK: - Withdrawing

    /// Tries to become the one member that may withdraw.
    func takeWithdrawalLock() async -> WithdrawalMachine.LockAnswer {
        guard isRegistered, let store = session?.store else { return .failed }
        do { return try await store.takeWithdrawalLock(for: machine.me.identity) } catch {
            logger.warning("the lock for withdrawing can't be taken", metadata: ["why": "\(error)"])
            return .failed
        }
    }

    /// Lets others have it; tries again until it is done, or until the session that has it is over.
    func releaseWithdrawalLock() async {
        let me = machine.me.identity
        while let store = session?.store, machine.me.identity == me, ending == nil {
            do {
                try await store.releaseWithdrawalLock(of: me)
                return
            } catch {
                logger.debug("the lock for withdrawing can't be released yet", metadata: ["why": "\(error)"])
            }
            do { try await Task.sleep(for: .seconds(1)) } catch { return }
        }
    }
}
