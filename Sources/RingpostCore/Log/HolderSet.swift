// The members that have a copy of an owned slot, or get one, and how far each has confirmed the log. With the owner they are the
// acknowledging set.

/// The members that are to have copies of a slot beside its owner, by their numbers among the peers. Two places rather than an array: it is
/// asked for with every commit.
struct SlotMirrors: Equatable {
    private let first: Int?
    private let second: Int?

    init(_ first: Int? = nil, _ second: Int? = nil) {
        self.first = first
        self.second = second
    }

    func contains(_ peer: Int) -> Bool { first == peer || second == peer }

    func forEach(_ body: (Int) -> Void) {
        if let first { body(first) }
        if let second { body(second) }
    }

    func allSatisfy(_ condition: (Int) -> Bool) -> Bool { first.map(condition) != false && second.map(condition) != false }
}

/// Another member that has, or gets, a copy of a slot that this node owns.
struct Holder {
    enum State: UInt8 {
        /// Nothing was sent yet. Can transition to sent.
        case waiting
        /// The copy was adopted or sent whole; appends follow. Can transition to waiting (when the copy doesn't fit, or the link broke
        /// before it was confirmed) and releasing.
        case sent
        /// The holder was told that its copy is not needed any more. Final: the holder is removed when it has confirmed, and added anew
        /// if it is a mirror again.
        case releasing
        /// It has a copy of an earlier session, of another log or of none that counts. Can transition to releasing, and to waiting when it
        /// becomes a mirror.
        case retained
    }

    let peer: Int
    /// Whose copy it is.
    let lineage: UInt64
    fileprivate(set) var state = State.waiting
    /// The owner waits for this holder: it has, or may have, a copy that another owner could go on from.
    fileprivate(set) var isInSet: Bool
    /// It has confirmed its copy under this owner's term.
    fileprivate(set) var isConfirmed = false
    /// The last position that it has confirmed.
    fileprivate(set) var acknowledged: UInt64 = 0
    /// It has the very copy that the owner went on from, so the copy need not be sent.
    fileprivate(set) var isSame: Bool
    /// It was in the set of the log before, or its copy is current: with its confirmation the owner's term counts.
    let isFormer: Bool

    init(peer: Int, lineage: UInt64 = 0, isInSet: Bool, isSame: Bool) {
        self.peer = peer
        self.lineage = lineage
        self.isInSet = isInSet
        self.isSame = isSame
        isFormer = isInSet
    }

    /// One that has a copy of an earlier session, which is not gone on from.
    init(retainedBy peer: Int, lineage: UInt64) {
        self.init(peer: peer, lineage: lineage, isInSet: false, isSame: false)
        state = .retained
    }
}

/// The holders of one owned slot.
struct HolderSet {
    private(set) var all: [Holder] = []

    /// - Parameter holders: the members whose copies the owner has found; those that are not only retained are in the set from the beginning.
    init(_ holders: [Holder] = []) { all = holders }

    var isEmpty: Bool { all.isEmpty }

    func number(of peer: Int) -> Int? { all.firstIndex { $0.peer == peer } }

    /// Whether nobody but these holds a copy, or is to get one.
    func isHeld(atMostBy mirrors: SlotMirrors) -> Bool { all.allSatisfy { mirrors.contains($0.peer) } }

    /// Removes members that have left the ring, and adds the present mirrors.
    ///
    /// - Parameters:
    ///   - mirrors: who is to have a copy now.
    ///   - lineages: for each peer, whose its copies are.
    ///   - isMember: for each peer, whether it is in the ring.
    mutating func update(mirrors: SlotMirrors, lineages: [UInt64], isMember: [Bool]) {
        all.removeAll { !isMember[$0.peer] }
        mirrors.forEach { mirror in
            if let number = number(of: mirror) {
                if all[number].state == .retained { all[number].state = .waiting }
            } else {
                all.append(Holder(peer: mirror, lineage: lineages[mirror], isInSet: false, isSame: false))
            }
        }
    }

    /// A member has a copy of an earlier session.
    ///
    /// - Returns: false if it is a holder already.
    mutating func addRetained(_ peer: Int, lineage: UInt64) -> Bool {
        guard number(of: peer) == nil else { return false }
        all.append(Holder(retainedBy: peer, lineage: lineage))
        return true
    }

    /// Whether these are the lineages of an owner and its set, in any order.
    func isSet(_ lineages: [UInt64], owner: UInt64) -> Bool {
        var count = 1
        for holder in all where holder.isInSet {
            count += 1
            if !lineages.contains(holder.lineage) { return false }
        }
        return lineages.count == count && lineages.contains(owner)
    }

    /// The lineages of an owner and its set.
    func lineages(owner: UInt64) -> [UInt64] { [owner] + all.lazy.filter(\.isInSet).map(\.lineage) }

    // MARK: Confirmation

    /// A holder says up to where it has the log; `end` is where the log ends: nobody can have steps that were not written yet.
    ///
    /// - Returns: whether it confirms its copy for the first time; `nil` if nothing was to be confirmed.
    mutating func acknowledge(_ position: UInt64, by peer: Int, end: UInt64) -> Bool? {
        guard let number = number(of: peer), all[number].state == .sent else { return nil }
        let isFirst = !all[number].isConfirmed
        all[number].isConfirmed = true
        all[number].acknowledged = min(max(all[number].acknowledged, position), end)
        return isFirst
    }

    /// Up to where the whole acknowledging set has the log that ends at `end`, and how many copies that makes; `nil` while a member of
    /// the set has not confirmed its copy at all, or while there are too few copies.
    func confirmed(end: UInt64, copiesMin: Int) -> (upTo: UInt64, copies: Int)? {
        var upTo = end
        var copies = 1
        for number in all.indices {
            if all[number].isInSet {
                guard all[number].isConfirmed else { return nil }
                upTo = min(upTo, all[number].acknowledged)
            }
            if all[number].isConfirmed { copies += 1 }
        }
        return copies < copiesMin ? nil : (upTo, copies)
    }

    // MARK: Copies

    /// A copy is sent now. From here on the owner waits for this holder, also before it has said that it has everything.
    mutating func markSent(_ number: Int) {
        all[number].state = .sent
        all[number].isInSet = true
        all[number].isConfirmed = false
    }

    /// The link broke before the holder had confirmed: the copy is sent again.
    mutating func markUnsent(_ number: Int) { all[number].state = .waiting }

    /// The holder's copy doesn't fit what was said of it: it has to be sent whole.
    ///
    /// - Returns: false if no copy was sent to it.
    mutating func markMismatched(_ number: Int) -> Bool {
        guard all[number].state == .sent else { return false }
        all[number].state = .waiting
        all[number].isConfirmed = false
        all[number].isSame = false
        return true
    }

    /// With all present mirrors confirmed, every other holder may go. It stays in the set until it says that its copy is gone: until then
    /// another owner could go on from that copy.
    ///
    /// - Parameters:
    ///   - mirrors: the present ones.
    ///   - isEarly: does not wait for the mirrors to confirm. Only for tests of the tests.
    /// - Returns: the peers that are to be told, each once.
    mutating func release(allBut mirrors: SlotMirrors, isEarly: Bool) -> [Int] {
        let isReady = mirrors.allSatisfy { mirror in
            all.contains { $0.peer == mirror && ($0.isConfirmed || isEarly && $0.state == .sent) }
        }
        guard isReady else { return [] }
        all.removeAll { !mirrors.contains($0.peer) && $0.state == .waiting && !$0.isInSet }
        var released: [Int] = []
        for number in all.indices where !mirrors.contains(all[number].peer) && all[number].state != .releasing {
            all[number].state = .releasing
            all[number].isConfirmed = false
            released.append(all[number].peer)
        }
        return released
    }

    /// A holder's copy is gone.
    ///
    /// - Returns: false if it was not asked to release it.
    mutating func removeReleased(_ number: Int) -> Bool {
        guard all[number].state == .releasing else { return false }
        all.remove(at: number)
        return true
    }
}
