// What a schedule may break without breaking a promise. The design covers the loss of one copy of a slot, and of several one after
// another as long as the copies were complete in between. A loss is the death of a process, or the end of its session: both void all
// its copies. Only who has taken the last complete copy by two losses in a row is excused.
//
// Where nodes have disks, neither is a loss. There a schedule says itself from when to when it has taken more than the rules cover.

import RingpostCore

/// Which mailboxes the schedule itself has destroyed.
final class SimCoverage {
    private struct Losses {
        /// Losses since two complete copies were last seen.
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
        /// Of the members, the owner and the mirror of the newest ring.
        var ofPair = 0

        /// Both whose copies the promise is about have it. An earlier holder may be about to let go of its own, so that with it two
        /// are not enough.
        var isComplete: Bool { ofPair == 2 || members > 2 }
    }

    /// The machines of so many lives that are over are remembered: who has confirmed a copy and died then had it.
    static let gravesMax = 12

    unowned let simulation: Simulation
    private var losses: [Key: Losses] = [:]
    private var before: [Key: Count] = [:]
    private var depth = 0
    /// Fewer than two members have weight.
    private var isThin = true
    private var graves: [ShardMachine] = []
    private var hasDisks: Bool { !simulation.settings.disks.isNone }
    /// Where nodes have disks: what was acknowledged up to then may be gone.
    private var excusedUntil = Int64.min

    init(simulation: Simulation) { self.simulation = simulation }

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
            if had.isComplete { own.sinceComplete = isThin ? 1 : 0 }
            own.sinceComplete += max(0, had.members - has.members)
            // Without ZooKeeper, or alone, nodes may go on whose sessions have ended; they find out when they reach it again.
            let isGoneWithNonmembers = had.members == 0 && had.all > 0 && has.all == 0
            if had.members > 0 && has.members == 0 || isGoneWithNonmembers {
                let isExcused = isGoneWithNonmembers || own.sinceComplete >= 2
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

    /// With fewer than two members that have weight there is only one copy, and nobody was told otherwise; nor is there a second one as
    /// soon as there is a second member.
    func membersChanged(_ members: [Member]) {
        let wasThin = isThin
        isThin = members.count { $0.weight > 0 } < 2
        guard isThin || wasThin else { return }
        for key in simulation.keys { losses[key, default: Losses()].sinceComplete = max(losses[key]?.sinceComplete ?? 0, 1) }
    }

    // MARK: What is left

    private func count() -> [Key: Count] {
        let members = Set(simulation.zooKeeper.members.map(\.identity))
        let view = simulation.nodes.compactMap { $0.process?.view }.max { $0.epoch < $1.epoch }
        var counts: [Key: Count] = [:]
        for key in simulation.keys {
            guard let told = simulation.checker.told[key] else { continue }
            var count = Count()
            let pair = [view?.owner(ofSlot: key.slot)?.identity, view?.mirror(ofSlot: key.slot)?.identity]
            // What is left from an earlier session counts when it has been taken.
            for process in simulation.nodes.compactMap(\.process)
            where process.loop.has(told, of: key) && process.loop.isCurrent(ofSlot: key.slot) {
                count.all += 1
                guard members.contains(process.identity) else { continue }
                count.members += 1
                if pair.contains(process.identity) { count.ofPair += 1 }
            }
            counts[key] = count
        }
        return counts
    }

    /// How many processes have or had everything up to a place, also those that are gone by now.
    func copiesEver(of key: Key, at told: SimChecker.Told?) -> Int {
        guard let told else { return 0 }
        return simulation.nodes.count { $0.process?.loop.has(told, of: key) == true } + graves.count { $0.has(told, of: key) }
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
