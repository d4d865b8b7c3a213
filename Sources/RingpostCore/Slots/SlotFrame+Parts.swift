// What a frame about slots has to do with each of them.
import HashRing

extension SlotFrame {
    /// An owner's frame about many slots as one for each event loop that has some of them, in a fixed order; nothing for other frames.
    ///
    /// - Parameter loop: the number of the loop that has a slot.
    public func parts(by loop: (Int) -> Int) -> [(loop: Int, frame: SlotFrame)] {
        func split<Part>(_ list: [Part], _ slot: (Part) -> UInt16, _ frame: ([Part]) -> SlotFrame) -> [(loop: Int, frame: SlotFrame)] {
            guard let first = list.first.map({ loop(Int(slot($0))) }) else { return [] }
            // The other side's loops mostly have the same slots.
            if list.allSatisfy({ loop(Int(slot($0))) == first }) { return [(first, frame(list))] }
            return Dictionary(grouping: list) { loop(Int(slot($0))) }.sorted { $0.key < $1.key }.map { ($0.key, frame($0.value)) }
        }
        switch self {
        case .inquire(let term, let slots): return split(slots, { $0 }) { .inquire(term: term, slots: $0) }
        case .adopt(let adoptions): return split(adoptions, \.slot) { .adopt($0) }
        case .snapshots(let transfers): return split(transfers, \.slot) { .snapshots($0) }
        case .release(let slots): return split(slots, \.slot) { .release($0) }
        case .keepers(let slots): return split(slots, \.slot) { .keepers($0) }
        case .retained(let epoch, let holdings): return split(holdings, \.slot) { .retained(epoch: epoch, $0) }
        case .fetch, .append, .holdings, .chunk, .acknowledge, .acknowledgeCopies, .mismatch, .released, .refused: return []
        }
    }

    /// Peers are believed that a name is valid, but not where it belongs: one of them with another hash would split a mailbox.
    public func isWellPlaced(by hasher: KeyHasher) -> Bool {
        func fits(_ key: Key, _ slot: UInt16) -> Bool {
            key.slot == Int(slot) && key.name.withUnsafeBytes({ hasher.hash(key.kind, utf8: $0) }) == key.hash
        }
        func fits(_ chunk: SnapshotChunk, _ slot: UInt16) -> Bool {
            chunk.items.allSatisfy { item in
                switch item {
                case .mailbox(let head): fits(head.key, slot)
                case .message: true
                case .remembered(let key, _): key.slot == Int(slot)
                }
            }
        }
        switch self {
        case .append(_, let slot, _, .message(let key, _, _, _)), .append(_, let slot, _, .created(let key, _)),
            .append(_, let slot, _, .belongs(let key, _)):
            return fits(key, slot)
        case .snapshots(let transfers): return transfers.allSatisfy { fits($0.chunk, $0.slot) }
        case .chunk(_, let slot, .some(let chunk)): return fits(chunk, slot)
        default: return true
        }
    }
}
