// Which nodes of a run have disks, and names for its keys: a store keeps names without their hashes, so what lies in one has to be a name
// that really belongs to its slot.

import HashRing
import RingpostCore
import Synchronization

/// What the nodes keep their copies on.
package enum DiskMix: Sendable {
    /// All in memory.
    case none
    case fsync
    case written
    /// The first with fsync, the second written, the third in memory, and so on.
    case mixed

    var isNone: Bool { if case .none = self { true } else { false } }

    func disk(of node: Int) -> SimDisk? {
        switch self {
        case .none: nil
        case .fsync: SimDisk(.fsync)
        case .written: SimDisk(.written)
        case .mixed: [SimDisk(.fsync), SimDisk(.written), nil][node % 3]
        }
    }
}

/// Names by slot. To find those of one loop takes a quarter of a million hashes, so there are only a few such loops.
enum DiskNames {
    /// Loops whose nodes may have disks.
    static let loops = [7, 1_000, 9_999, 16_000]

    private static let found = Mutex<[Int: [Int: [[UInt8]]]]>([:])

    /// Names of the slots of a loop, so many each and kind of key.
    static func names(ofLoop loop: Int, hasher: KeyHasher) -> [Int: [[UInt8]]] {
        found.withLock { found in
            if let names = found[loop] { return names }
            let names = search(loop, hasher)
            found[loop] = names
            return names
        }
    }

    /// The last one of a slot is a channel's.
    private static func search(_ loop: Int, _ hasher: KeyHasher) -> [Int: [[UInt8]]] {
        let slots = Array(stride(from: loop, to: HashRing.slotCount, by: SimulationSettings.shardCount))
        var names: [Int: [[UInt8]]] = [:]
        for (kind, letter) in [(KeyKind.user, "u"), (.channel, "c")] {
            let count = kind == .user ? SimulationSettings.keysPerSlot - 1 : SimulationSettings.keysPerSlot
            var number = 0
            while slots.contains(where: { names[$0, default: []].count < count }) {
                number += 1
                let name = "\(letter)\(number)"
                let slot = hasher.hash(kind, name).slot
                if slot % SimulationSettings.shardCount == loop, names[slot, default: []].count < count {
                    names[slot, default: []].append(Array(name.utf8))
                }
            }
        }
        return names
    }
}
