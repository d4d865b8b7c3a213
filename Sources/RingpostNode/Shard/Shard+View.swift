// A shard's links to other members, which come and go with the epochs, and its subscriptions, which follow their keys' owners.
import RingpostCore

extension Shard {
    func updateLinks(to view: MembershipView) {
        let others = Set(view.members.indices.filter { $0 != view.selfIndex }.map { view.members[$0] })
        let identities = Set(others.map(\.identity))
        for link in links.allDialled where !identities.contains(link.member) {
            link.stop()
            linkIsDown(link.handle)
            links.removeDialled(link.handle)
        }
        let linked = Set(links.allDialled.map(\.member))
        for member in others where !linked.contains(member.identity) {
            let link = LinkClient(handle: links.nextHandle, member: member, shard: self)
            links.add(link)
            link.start()
        }
    }

    func linkIsUp(_ handle: UInt32, to member: MemberIdentity) {
        decide { $0.linkIsUp(handle, to: member, now: $1, actions: &$2) }
        let now = Moment.now().monotonic
        for number in subscriptions.pending { subscriptions[number]?.onEpoch(now: now) }
        shared.onLinkChange(self)
    }

    func linkIsDown(_ handle: UInt32) {
        decide { $0.linkIsDown(handle, now: $1, actions: &$2) }
        shared.onLinkChange(self)
    }

    /// Subscriptions that are looked at in one go when an epoch has come.
    private static var reattachedMax: Int { 256 }

    /// Subscriptions whose owner has changed ask the new one.
    func reattach(from old: MembershipView?, to new: MembershipView) {
        // By index, so that nothing is compared but numbers.
        reattach(subscriptions.numbers[...], from: old, memberIndices: old.map { new.memberIndices(of: $0) }, to: new)
    }

    /// Some at a time: the others go on with the attachments that they have.
    private func reattach(_ numbers: ArraySlice<UInt64>, from old: MembershipView?, memberIndices: [Int?]?, to new: MembershipView) {
        let now = Moment.now().monotonic
        for number in numbers.prefix(Self.reattachedMax) {
            guard let subscription = subscriptions[number] else { continue }
            let slot = subscription.key.slot
            let before = old?.ring.owner(ofSlot: slot).flatMap { memberIndices?[$0] }
            if before == new.ring.owner(ofSlot: slot) { subscription.onEpoch(now: now) } else { subscription.ownerHasChanged(now: now) }
        }
        let remaining = numbers.dropFirst(Self.reattachedMax)
        if !remaining.isEmpty { inNextTurn { self.reattach(remaining, from: old, memberIndices: memberIndices, to: new) } }
    }
}
