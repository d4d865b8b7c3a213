// Whether what a data directory holds still counts: the roster says who was registered last under the node's id, and with which store. Others may
// have gone on without a store that it does not name.
import RingpostCore

/// What a directory says of its lineage.
struct StoreClaim {
    let lineage: UInt64
    /// A boot of the lineage was about to be registered.
    let hasBoots: Bool
    let knows: (UInt64) -> Bool

    /// - Parameter json: the roster's entry of this node; `nil` when there is none.
    /// - Returns: why the lineage is to be given up; `nil` when it counts.
    func objection(_ json: [UInt8]?, znode: String) -> String? {
        guard let json else { return hasBoots ? "the roster does not name this node any more" : nil }
        // One that can't be read is somebody's.
        let found = try? RosterEntry(json: json, znode: znode)
        if let found, found.isGivenUp, hasBoots { return "an operator has said that this node does not come back (ringpost forget)" }
        if let entry = found?.member, entry.lineage == lineage {
            return knows(entry.boot)
                ? nil : "it is an old copy: the roster names \(entry.identity) with the same store, and this directory does not know of it"
        }
        return hasBoots ? "another store has been registered as this node since" : nil
    }
}
