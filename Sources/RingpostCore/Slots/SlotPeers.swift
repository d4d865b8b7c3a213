// The ring in force, its members as this shard knows them, and the links to them. A peer keeps its number for ever, also when it leaves.

/// The members that a shard has to do with.
struct SlotPeers {
    private struct Peer {
        /// The handle of the link that this node has dialled, while it is up.
        var link: UInt32?
        /// There was a link at some time.
        var wasLinked = false
        /// What was decided for it in this event.
        var batch = SlotBatch()
    }

    /// Who this node is now.
    private(set) var me: MemberIdentity
    /// Whose its copies are.
    private(set) var lineage: UInt64
    /// For each peer, whose its copies are; 0 while no view has shown it.
    private(set) var lineages: [UInt64] = []
    /// For each peer, whether what it has confirmed is on a disk by fsync; false while no view has shown it.
    private(set) var isOnDisk: [Bool] = []
    /// Whether that is true of this node.
    private(set) var amOnDisk = false
    /// The newest epoch; `nil` before the first.
    private(set) var view: MembershipView?
    private var peers: [Peer] = []
    /// For each peer, whether it is in the ring; a peer that no view has shown yet counts as a member.
    private(set) var isMember: [Bool] = []
    private var numbers: [MemberIdentity: Int] = [:]
    private var byLink: [UInt32: Int] = [:]
    /// The peer at each index of the view; -1 for this node.
    private var byMember: [Int] = []
    /// Links that take no more for the moment.
    private var fullLinks: Set<UInt32> = []
    /// Peers for whom a batch is begun.
    private var batched: [Int] = []
    private let limits: SlotLimits
    /// Takes another boot of an id for the same member. Only for tests of the tests.
    private let ignoresBoots: Bool

    init(me: MemberIdentity, lineage: UInt64, limits: SlotLimits, ignoresBoots: Bool) {
        self.me = me
        self.lineage = lineage
        self.limits = limits
        self.ignoresBoots = ignoresBoots
    }

    // MARK: The ring

    /// The epoch in force; 0 before the first.
    var epoch: UInt64 { view?.epoch ?? 0 }
    /// How many copies there are to be of each slot; 1 to 3.
    private(set) var copies = ClusterDocument.copiesDefault
    /// Whether another member is to have a copy of the slot.
    func hasMirror(_ slot: Int) -> Bool { copies > 1 && view?.ring.mirror(ofSlot: slot) != nil }
    /// The members that are to have copies beside the owner: fewer than the setting says where fewer have weight.
    func mirrors(ofSlot slot: Int) -> SlotMirrors {
        guard copies > 1, let ring = view?.ring else { return SlotMirrors() }
        let second = copies > 2 ? ring.secondMirror(ofSlot: slot) : nil
        return SlotMirrors(ring.mirror(ofSlot: slot).map { byMember[$0] }, second.map { byMember[$0] })
    }
    /// How many copies of the slot there are when all is well.
    func copiesWanted(_ slot: Int) -> UInt8 { hasMirror(slot) ? copies > 2 && (view?.ring.depth ?? 0) > 2 ? 3 : 2 : 1 }

    func isOwner(_ slot: Int) -> Bool {
        guard let view, let owner = view.ring.owner(ofSlot: slot) else { return false }
        return owner == view.selfIndex
    }

    /// The owner's number, where that is another member.
    func otherOwner(ofSlot slot: Int) -> Int? {
        guard let view, let owner = view.ring.owner(ofSlot: slot), owner != view.selfIndex else { return nil }
        return byMember[owner]
    }

    /// This node has another boot, and perhaps another store.
    mutating func setMe(_ me: MemberIdentity, lineage: UInt64) {
        self.me = me
        self.lineage = lineage
    }

    /// A new epoch is in force.
    mutating func setView(_ view: MembershipView) {
        self.view = view
        copies = view.document.copies
        byMember = view.members.enumerated().map { index, member in index == view.selfIndex ? -1 : number(of: member.identity) }
        let members = Set(byMember)
        isMember = peers.indices.map { members.contains($0) }
        for (peer, member) in zip(byMember, view.members) where peer >= 0 {
            lineages[peer] = member.keeper
            isOnDisk[peer] = member.disk == .fsync
        }
        amOnDisk = view.own?.disk == .fsync
    }

    // MARK: Peers

    /// How many peers there ever were; their numbers are below that.
    var count: Int { peers.count }
    /// All members but this node, in the order of the view.
    var others: [Int] { byMember.filter { $0 >= 0 } }
    /// Who has this number now; `nil` for one that has left.
    func identity(_ peer: Int) -> MemberIdentity? { byMember.firstIndex(of: peer).flatMap { view?.members[$0].identity } }
    func isLinked(_ peer: Int) -> Bool { peers[peer].link != nil }

    /// The number of a member of the newest view.
    func member(_ member: MemberIdentity) -> Int? {
        guard let number = numbers[known(member)], isMember[number], byMember.contains(number) else { return nil }
        return number
    }

    /// Whether a peer is this (id, boot).
    func isPeer(_ peer: Int, _ member: MemberIdentity) -> Bool { numbers[known(member)] == peer }

    private mutating func number(of member: MemberIdentity) -> Int {
        if let number = numbers[known(member)] { return number }
        peers.append(Peer())
        isMember.append(true)
        lineages.append(0)
        isOnDisk.append(false)
        numbers[known(member)] = peers.count - 1
        return peers.count - 1
    }

    /// A member is (id, boot).
    private func known(_ member: MemberIdentity) -> MemberIdentity {
        ignoresBoots ? MemberIdentity(id: member.id, boot: 0) : member
    }

    // MARK: Links

    /// The peer that a link which is up leads to.
    func peer(onLink link: UInt32) -> Int? {
        guard let peer = byLink[link], peers[peer].link == link else { return nil }
        return peer
    }

    /// - Returns: the peer, and whether this is the first link to it.
    mutating func linkIsUp(_ link: UInt32, to member: MemberIdentity) -> (peer: Int, isFirst: Bool) {
        let peer = number(of: member)
        let isFirst = !peers[peer].wasLinked
        peers[peer].link = link
        peers[peer].wasLinked = true
        byLink[link] = peer
        return (peer, isFirst)
    }

    /// - Returns: the peer that has no link now; `nil` if it has another one already.
    mutating func linkIsDown(_ link: UInt32) -> Int? {
        fullLinks.remove(link)
        guard let peer = byLink.removeValue(forKey: link), peers[peer].link == link else { return nil }
        peers[peer].link = nil
        return peer
    }

    /// A link takes no more, or takes more again.
    ///
    /// - Returns: the peer whose route changes by that.
    mutating func setFull(_ link: UInt32, _ isFull: Bool) -> Int? {
        if isFull == fullLinks.contains(link) { return nil }
        if isFull { fullLinks.insert(link) } else { fullLinks.remove(link) }
        return byLink[link]
    }

    /// To another member, by its index in the view.
    func route(toMember memberIndex: Int) -> PublishLanes.Route {
        guard let link = peers[byMember[memberIndex]].link, !fullLinks.contains(link) else { return .unreachable }
        return .peer(link)
    }

    func memberIndex(of peer: Int) -> Int? { byMember.firstIndex(of: peer) }

    // MARK: Frames

    /// To a holder, at the end of the event or before anything else that is said to it.
    mutating func send(_ part: SlotBatch.Part, to peer: Int, actions: inout [ShardAction]) {
        guard peers[peer].link != nil else { return }
        if !peers[peer].batch.hasRoom(for: part, limits: limits) { sendBatch(to: peer, actions: &actions) }
        if peers[peer].batch.isEmpty { batched.append(peer) }
        peers[peer].batch.append(part)
    }

    /// To a holder at once.
    mutating func send(_ frame: SlotFrame, to peer: Int, actions: inout [ShardAction]) {
        guard let link = peers[peer].link else { return }
        sendBatch(to: peer, actions: &actions)
        actions.append(.send(peer: link, frame))
    }

    /// The event is over: what was collected is sent.
    mutating func sendBatches(actions: inout [ShardAction]) {
        if batched.isEmpty { return }
        for peer in batched { sendBatch(to: peer, actions: &actions) }
        batched.removeAll(keepingCapacity: true)
    }

    private mutating func sendBatch(to peer: Int, actions: inout [ShardAction]) {
        guard let frame = peers[peer].batch.removeAll(), let link = peers[peer].link else { return }
        actions.append(.send(peer: link, frame))
    }
}
