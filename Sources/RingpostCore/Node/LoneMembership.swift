// The membership of a node without ZooKeeper: it is the only member, at once and for as long as it runs.

/// A cluster of one node.
struct LoneMembership: Sendable {
    private(set) var me: Member
    let document: ClusterDocument
    private(set) var view: MembershipView?
    /// Terms of an earlier process's copies were up to here.
    private let formerEpoch: UInt64

    init(me: Member, document: ClusterDocument, above epoch: UInt64) {
        formerEpoch = epoch
        self.me = me
        self.document = document
    }

    mutating func begin() -> MembershipView { advance() }

    /// Of all that can happen to a membership only two things can happen to this one.
    mutating func handle(_ event: MembershipEvent) -> NodeAction? {
        switch event {
        case .setWeight(let weight):
            if weight == me.weight { return nil }
            me.weight = weight
            return view == nil ? nil : .view(advance())
        case .leave: return .end(.left)
        default: return nil
        }
    }

    private mutating func advance() -> MembershipView {
        let epoch = (view?.epoch ?? formerEpoch) + 1
        let next = MembershipView(epoch: epoch, members: [me], document: document, own: me.identity, previous: view)
        view = next
        return next
    }
}
