// What a schedule may break without breaking a promise. The design covers the loss of all copies of a slot but one, and of more one after
// another as long as the copies were complete in between. A loss is the death of a process, or the end of its session: both void all
// its copies. Only who has taken the last complete copy by as many losses in a row as there are copies is excused.
//
// Where nodes have disks, neither is a loss. There a schedule says itself from when to when it has taken more than the rules cover.

import RingpostCore

/// Which mailboxes the schedule itself has destroyed.
final class SimCoverage {
    private struct Losses {
        /// Losses since all copies were last seen complete.
        var sinceComplete = 0
        /// When the last copy was taken, and of which incarnation.
        var lost: [(at: Int64, incarnation: UInt64)] = []
    }

    /// Who has all that anybody was told of.
    private struct Count {
        /// Members, as ZooKeeper has them.
        var members = 0
        /// All who run, also those whose session has ended without their knowledge.
        var all = 0
        /// Of the members, the owner and the mirrors of the newest ring.
        var ofSet = 0

        /// All whose copies the promise is about have it. An earlier holder may be about to let go of its own, so that with it as many
        /// are not enough.
        func isComplete(_ full: Int) -> Bool { ofSet >= full || members > full }
    }

    /// The machines of so many lives that are over are remembered: who has confirmed a copy and died then had it.
    static let gravesMax = 12

    unowned let simulation: Simulation
    private var losses: [Key: Losses] = [:]
    private var before: [Key: Count] = [:]
    private var depth = 0
    /// How many copies of each slot are promised. Where the setting changes, the lower one until all have the higher.
    var copies: Int
    /// How many members have weight.
    private var weighted = 0
    /// So many copies can't be, because too few members have weight.
    private var missing: Int { copies - min(copies, max(1, weighted)) }
    private var graves: [ShardMachine] = []
    private var hasDisks: Bool { !simulation.settings.disks.isNone }
    /// Where nodes have disks: what was acknowledged up to then may be gone.
    private var excusedUntil = Int64.min

    init(simulation: Simulation) {
        self.simulation = simulation
        copies = simulation.settings.copies
    }

    // MARK: What happens

    /// Something is about to happen that may take copies; ``hasLost()`` follows.
    func willLose(_ process: SimProcess? = nil) {
        if let process, process.loop.completeCopies > 0 {
            graves.append(process.loop)
            if graves.count > Self.gravesMax { graves.removeFirst() }
        }
        depth += 1
        if depth == 1, !hasDisks { before = count() }
    }

    func hasLost() {
        depth -= 1
        guard depth == 0, !hasDisks else { return }
        let after = count()
        for key in simulation.keys {
            guard let had = before[key], let has = after[key], let told = simulation.checker.told[key] else { continue }
            var own = losses[key] ?? Losses()
            // One copy is what is left, never all there is to be.
            if had.isComplete(max(2, min(copies, weighted))) { own.sinceComplete = missing }
            own.sinceComplete += max(0, had.members - has.members)
            // Without ZooKeeper, or alone, nodes may go on whose sessions have ended; they find out when they reach it again.
            let isGoneWithNonmembers = had.members == 0 && had.all > 0 && has.all == 0
            if had.members > 0 && has.members == 0 || isGoneWithNonmembers {
                let isExcused = isGoneWithNonmembers || own.sinceComplete >= copies
                simulation.say("coverage", "\(key.text) is lost, \(own.sinceComplete) losses in a row\(isExcused ? "" : ": BAD")")
                if isExcused { own.lost.append((simulation.time, told.incarnation)) }
            }
            losses[key] = own
        }
    }

    /// Nodes have disks, and more is gone than the rules cover, or is for so long.
    func excuse(forMilliseconds milliseconds: Int64) {
        simulation.say("coverage", "gaps are excused for \(milliseconds) ms")
        excusedUntil = max(excusedUntil, simulation.time + milliseconds * 1_000)
    }

    /// With fewer members that have weight there are fewer copies, and nobody was told otherwise; nor is there another one as soon as there
    /// is another member.
    func membersChanged(_ members: [Member]) {
        let before = missing
        weighted = members.count { $0.weight > 0 }
        let most = max(before, missing)
        guard most > 0 else { return }
        for key in simulation.keys { losses[key, default: Losses()].sinceComplete = max(losses[key]?.sinceComplete ?? 0, most) }
    }

    // MARK: What is left

    private func count() -> [Key: Count] {
        let members = Set(simulation.zooKeeper.members.map(\.identity))
        let view = simulation.nodes.compactMap { $0.process?.view }.max { $0.epoch < $1.epoch }
        var counts: [Key: Count] = [:]
        for key in simulation.keys {
            guard let told = simulation.checker.told[key] else { continue }
            var count = Count()
            let set = [view?.owner(ofSlot: key.slot)].compactMap { $0?.identity } + (view?.mirrors(ofSlot: key.slot).map(\.identity) ?? [])
            // What is left from an earlier session counts when it has been taken.
            for process in simulation.nodes.compactMap(\.process)
            where process.loop.has(told, of: key) && process.loop.isCurrent(ofSlot: key.slot) {
                count.all += 1
                guard members.contains(process.identity) else { continue }
                count.members += 1
                if set.contains(process.identity) { count.ofSet += 1 }
            }
            counts[key] = count
        }
        return counts
    }

    /// How many processes have or had everything up to a place, also those that are gone by now.
    func copiesEver(of key: Key, at told: SimChecker.Told) -> Int {
        simulation.nodes.count { $0.process?.loop.has(told, of: key) == true } + graves.count { $0.has(told, of: key) }
    }

    /// An owner acknowledges in this incarnation, in a session that lives: it was not taken from everybody after all.
    func isBack(_ key: Key, incarnation: UInt64, at owner: MemberIdentity) {
        guard losses[key]?.lost.contains(where: { $0.incarnation == incarnation }) == true,
            simulation.zooKeeper.members.contains(where: { $0.identity == owner })
        else { return }
        losses[key]?.lost.removeAll { $0.incarnation == incarnation }
    }

    /// Whether an incarnation was taken from everybody.
    func isLost(_ key: Key, incarnation: UInt64?) -> Bool {
        if hasDisks { return excusedUntil > .min }
        return losses[key]?.lost.contains { incarnation == nil || $0.incarnation == incarnation } ?? false
    }

    /// Whether the mailbox was taken from everybody at or after a time.
    func isLost(_ key: Key, after time: Int64) -> Bool {
        hasDisks ? excusedUntil >= time : losses[key]?.lost.contains { $0.at >= time } ?? false
    }

    /// Keys that were lost at some time, or may have been.
    var lostKeys: Int { hasDisks ? excusedUntil > .min ? simulation.keys.count : 0 : losses.values.count { !$0.lost.isEmpty } }
}

extension ShardMachine {
    fileprivate func has(_ told: SimChecker.Told, of key: Key) -> Bool {
        guard let copy = copy(of: key) else { return false }
        return copy.incarnation == told.incarnation && copy.sequence >= told.sequence
    }
}
