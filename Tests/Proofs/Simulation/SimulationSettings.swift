// What a run is made of, besides its seed.

import HashRing
import RingpostCore

/// The parameters of one run.
package struct SimulationSettings: Sendable {
    /// With so many loops each machine has four slots, and what is not looked at costs nothing.
    static let shardCount = 16_384
    /// The last of them is a channel.
    static let keysPerSlot = 2
    /// The last of them polls.
    static let clientsPerKey = 3

    /// Everything that happens follows from it.
    package var seed: UInt64
    /// How many nodes there are at most.
    package var nodes: Int
    /// What happens to them.
    package var schedule: Schedule
    /// How many copies of each slot there are to be.
    package var copies: Int
    /// Guards of the loop's machine that are switched off.
    package var faults: Set<GuardFault> = []
    /// Guards outside of the loop's machine that are switched off.
    package var shellFaults: Set<ShellFault> = []
    /// Names of all guards that can be switched off.
    package static let guards = GuardFault.allCases.map(\.rawValue) + ShellFault.allCases.map(\.rawValue)

    /// Switches a guard off, to see whether the checker notices; false when no guard has this name.
    package mutating func switchOff(_ name: String) -> Bool {
        if let fault = ShellFault(rawValue: name) {
            shellFaults.insert(fault)
        } else if let fault = GuardFault(rawValue: name) {
            faults.insert(fault)
        } else {
            return false
        }
        return true
    }

    func has(_ fault: ShellFault) -> Bool { !shellFaults.isEmpty && shellFaults.contains(fault) }

    /// The checker also looks into the machines. Without that it judges by what producers were told and what clients saw alone.
    package var looksInside = true
    /// Called with every line of the trace.
    package var trace: (@Sendable (String) -> Void)?
    /// A producer publishes this often, on average (microseconds).
    var pauseMicroseconds: Int64 = 60_000
    /// Which of the loops.
    let loopIndex: Int
    /// Which nodes have disks.
    let disks: DiskMix

    /// A run with a schedule by name, or with one that the seed draws.
    package init(seed: UInt64, nodes: Int? = nil, schedule: Schedule = .random) {
        self.seed = seed
        self.nodes = nodes ?? schedule.nodes
        self.schedule = schedule
        // Most runs have what most clusters have.
        copies = schedule.copies ?? [2, 2, 3, 2, 2, 3, 2, 1][Int(seed % 8)]
        disks = schedule.disks(seed)
        var random = SplitMix64(seed: seed ^ 0x51)
        loopIndex = disks.isNone ? random.below(Self.shardCount) : DiskNames.loops[random.below(DiskNames.loops.count)]
    }
}

/// A guard outside of the loop's machine.
package enum ShellFault: String, CaseIterable, Sendable {
    /// Of the session machine.
    case writeOldAttachment
    /// Of a node with a disk: what follows from a change is said before the change is in the store; a store says nothing of copies that were
    /// released; it keeps its lineage though its end is missing, or though others have gone on without it.
    case sayBeforeStored, forgetStoredEvidence, keepLostLineage, keepGivenUpLineage
    /// A store keeps its lineage though it has seen epochs above the list's.
    case ignoreOlderList
}

/// How a run went.
package struct SimulationOutcome: Sendable {
    /// What must not happen and did; empty for a good run.
    package var violations: [SimViolation] = []
    /// What was done to the cluster, a line each.
    package var played: [String] = []
    /// Messages that producers began.
    package var messages = 0
    /// Receipts that producers had.
    package var receipts = 0
    /// Gaps that clients were told of.
    package var gaps = 0
    /// Mailboxes that the schedule destroyed beyond what the design covers.
    package var lostMailboxes = 0
    /// Ticks from the end of the last fault until every slot answered and every client had caught up.
    package var ticksToRecover = 0
    /// Milliseconds that were simulated.
    package var milliseconds: Int64 = 0
    /// Things that happened.
    package var events = 0
    /// The most of each bounded thing.
    package var most: [String: Int] = [:]
    /// The same for two runs in which the same happened.
    package var fingerprint: UInt64 = 0
    /// Sentences that somebody would have been woken for.
    package var alarms: [String: Int] = [:]
}
