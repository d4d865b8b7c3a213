// A new epoch reaches a loop: links to members come and go, slots change hands, and sockets whose owner has changed
// attach to the new one.
import RingpostCore

extension Shard {
    func apply(_ view: MembershipView) {
        if let current = self.view, view.epoch < current.epoch { return }
        let old = self.view
        self.view = view
        updateLinks()
        decide { $0.apply(view, now: $1, actions: &$2) }
        // By place, so that nothing is compared but numbers.
        reattach(subscriptions.numbers[...], from: old, memberIndices: old.map { view.memberIndices(of: $0) }, to: view)
    }

    func setLease(until: Int64) { decide { $0.setLease(until: until, now: $1, actions: &$2) } }

    /// This node has a new boot: nothing that was said under the old one holds, on any link.
    func begin(as me: MemberIdentity) {
        decide { $0.begin(as: me, now: $1, actions: &$2) }
        for link in links { link?.breakOff() }
        for server in Array(accepted.values) { server.breakOff() }
    }

    /// Another boot of this id may have had copies.
    func succeed() { decide { machine, now, _ in machine.succeed(now: now) } }

    private func updateLinks() {
        guard let view else { return }
        let others = Set(view.members.indices.filter { $0 != view.selfIndex }.map { view.members[$0] })
        let identities = Set(others.map(\.identity))
        for (handle, link) in links.enumerated() {
            guard let link, !identities.contains(link.member) else { continue }
            link.stop()
            linkIsDown(UInt32(handle))
            links[handle] = nil
        }
        let linked = Set(links.compactMap { $0?.member })
        for member in others where !linked.contains(member.identity) {
            let link = LinkClient(handle: UInt32(links.count), member: member, shard: self)
            links.append(link)
            link.start()
        }
    }

    func linkIsUp(_ handle: UInt32, to member: MemberIdentity) {
        decide { $0.linkIsUp(handle, to: member, now: $1, actions: &$2) }
        let now = Moment.now().monotonic
        for number in pendingSubscriptions { subscriptions[number]?.onEpoch(now: now) }
        shared.onLinkChange(self)
    }

    func linkIsDown(_ handle: UInt32) {
        decide { $0.linkIsDown(handle, now: $1, actions: &$2) }
        shared.onLinkChange(self)
    }

    /// Sessions that are looked at in one go when an epoch has come: those whose owner has changed ask the new one.
    private static var reattachedMax: Int { 256 }

    /// Some at a time: who is not looked at yet goes on with the attachment that it has.
    private func reattach(_ numbers: ArraySlice<UInt64>, from old: MembershipView?, memberIndices: [Int?]?, to new: MembershipView) {
        let now = Moment.now().monotonic
        for number in numbers.prefix(Self.reattachedMax) {
            guard let subscription = subscriptions[number] else { continue }
            let slot = subscription.key.slot
            let before = old?.ring.owner(ofSlot: slot).flatMap { memberIndices?[$0] }
            if before == new.ring.owner(ofSlot: slot) { subscription.onEpoch(now: now) } else { subscription.ownerHasChanged(now: now) }
        }
        let rest = numbers.dropFirst(Self.reattachedMax)
        if !rest.isEmpty { inNextTurn { self.reattach(rest, from: old, memberIndices: memberIndices, to: new) } }
    }
}
