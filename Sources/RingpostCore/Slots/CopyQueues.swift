// The copies that go to, and come from, each peer: which wait, in which order, and which are under way. A bounded number is under way at
// once, for the sake of live traffic.
import DequeModule

/// Copies that wait or are under way, by peer.
struct CopyQueues {
    private struct Peer {
        /// Slots whose copies wait to be sent to the peer.
        var queue: Deque<Int> = []
        /// Copies sent to it and not confirmed.
        var underWay: Set<Int> = []
        /// Slots whose copies are to be fetched from it.
        var fetches: Deque<Int> = []
        var fetchesUnderWay: Set<Int> = []
    }

    private var peers: [Peer] = []
    private let underWayMax: Int
    private let slotCount: Int

    /// - Parameters:
    ///   - underWayMax: copies under way at once in one direction.
    ///   - slotCount: how many slots the shard has.
    init(underWayMax: Int, slotCount: Int) {
        self.underWayMax = underWayMax
        self.slotCount = slotCount
    }

    /// There are so many peers now.
    mutating func setPeerCount(_ count: Int) { while peers.count < count { peers.append(Peer()) } }

    // MARK: Copies to a peer

    func queueCount(to peer: Int) -> Int { peers[peer].queue.count }
    func underWayCount(to peer: Int) -> Int { peers[peer].underWay.count }
    /// Whether a copy waits for the peer, and one more may be under way to it.
    func mayStart(to peer: Int) -> Bool { peers[peer].underWay.count < underWayMax && !peers[peer].queue.isEmpty }

    mutating func append(_ slot: Int, to peer: Int) { peers[peer].queue.append(slot, slotsMax: slotCount) }
    mutating func prepend(_ slot: Int, to peer: Int) { peers[peer].queue.prepend(slot) }
    mutating func pop(to peer: Int) -> Int? { peers[peer].queue.popFirst() }
    mutating func begin(_ slot: Int, to peer: Int) { peers[peer].underWay.insert(slot) }
    mutating func end(_ slot: Int, to peer: Int) { peers[peer].underWay.remove(slot) }

    /// Empties the queue to a peer and returns it.
    mutating func removeQueue(to peer: Int) -> Deque<Int> {
        defer { peers[peer].queue = [] }
        return peers[peer].queue
    }

    /// Every copy that still has to be sent is queued again.
    mutating func removeAllQueues() { for peer in peers.indices { peers[peer].queue = [] } }

    // MARK: Copies from a peer

    func fetchesUnderWayCount(from peer: Int) -> Int { peers[peer].fetchesUnderWay.count }
    mutating func appendFetch(_ slot: Int, from peer: Int) { peers[peer].fetches.append(slot) }
    mutating func beginFetch(_ slot: Int, from peer: Int) { peers[peer].fetchesUnderWay.insert(slot) }
    mutating func endFetch(_ slot: Int, from peer: Int) { peers[peer].fetchesUnderWay.remove(slot) }
    mutating func removeFetches(from peer: Int) { peers[peer].fetches = [] }

    /// The next copy that may be fetched now.
    mutating func popFetch(from peer: Int) -> Int? {
        peers[peer].fetchesUnderWay.count < underWayMax ? peers[peer].fetches.popFirst() : nil
    }

    // MARK: Ends

    /// The link to a peer is gone, and with it what was under way.
    mutating func linkIsDown(_ peer: Int) {
        peers[peer].underWay = []
        peers[peer].fetchesUnderWay = []
    }

    /// The peer has left the ring.
    mutating func forget(_ peer: Int) { peers[peer] = Peer() }
}
