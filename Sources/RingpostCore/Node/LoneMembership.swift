// The membership of a node without ZooKeeper: it is the only member, at once and for as long as it runs.

/// A cluster of one node.
struct LoneMembership: Sendable {
    private(set) var me: Member
    let document: ClusterDocument
    private(set) var view: MembershipView?

    init(me: Member, document: ClusterDocument) {
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
        let epoch = (view?.epoch ?? 0) + 1
        let next = MembershipView(epoch: epoch, members: [me], document: document, own: me.identity, previous: view)
        view = next
        return next
    }
}
