// Which slots of a shard nobody serves, and for whom they wait.

extension ShardMachine {
    /// Slots that wait for a member that can't be reached, of which no member has a copy that is certainly the best, or of which somebody has
    /// heard of a later epoch. Looks at every takeover, and costs nothing where there is none.
    public var slotWaits: SlotWaits {
        var waits = SlotWaits()
        waits.fenced = staleSlots.fencedCount
        waits.slots = waits.fenced
        var silent: Set<Int> = []
        let quiet = peers.view.map { Int64($0.document.vacancyMillisecondsMin) } ?? 0
        let recovery = peers.view.map { Int64($0.document.recoveryMilliseconds) } ?? 0
        for slot in takeovers.slots {
            guard let takeover = takeovers[slot] else { continue }
            switch takeover.phase {
            // Its turn comes, or whom it has asked will answer.
            case .queued, .loading: continue
            case .asking:
                let unlinked = takeover.unanswered.filter { !peers.isLinked($0) }
                if unlinked.isEmpty { continue }
                silent.formUnion(unlinked)
            case .fetching(let peer, _):
                if peers.isLinked(peer) { continue }
                silent.insert(peer)
            case .vacant(let since):
                waits.vacant += 1
                let due = vacancy.due(
                    since: since, succession: takeover.lastSuccession, quietMilliseconds: quiet, recoveryMilliseconds: recovery)
                waits.vacantUntil = [waits.vacantUntil, due].compactMap { $0 }.max()
            }
            waits.slots += 1
        }
        waits.silent = Set(silent.compactMap(peers.identity))
        return waits
    }
}
