// A new epoch reaches a loop: links to members come and go, slots change hands, and sockets whose owner has changed
// attach to the new one.
import RingpostCore

extension NodeLoop {
    func apply(_ view: MembershipView) {
        if let current = self.view, view.epoch < current.epoch { return }
        let old = self.view
        self.view = view
        updateLinks()
        decide { $0.apply(view, now: $1, actions: &$2) }
        reattach(from: old, to: view, now: Moment.now().monotonic)
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
        let others = Set(view.members.indices.filter { $0 != view.selfPlace }.map { view.members[$0] })
        for (handle, link) in links.enumerated() {
            guard let link, !others.contains(where: { $0.identity == link.member }) else { continue }
            link.stop()
            linkIsDown(UInt32(handle))
            links[handle] = nil
        }
        let linked = Set(links.compactMap { $0?.member })
        for member in others where !linked.contains(member.identity) {
            let link = LinkClient(handle: UInt32(links.count), member: member, loop: self)
            links.append(link)
            link.start()
        }
    }

    func linkIsUp(_ handle: UInt32, to member: MemberIdentity) {
        decide { $0.linkIsUp(handle, to: member, now: $1, actions: &$2) }
        let now = Moment.now().monotonic
        for number in restless { sessions[number]?.onEpoch(now: now) }
        shared.onLinkChange(self)
    }

    func linkIsDown(_ handle: UInt32) {
        decide { $0.linkIsDown(handle, now: $1, actions: &$2) }
        shared.onLinkChange(self)
    }

    private func reattach(from old: MembershipView?, to new: MembershipView, now: Int64) {
        // By place, so that nothing is compared but numbers.
        let places = old.map { new.places(of: $0) }
        for number in sessions.numbers {
            guard let session = sessions[number] else { continue }
            let slot = session.key.slot
            let before = old?.ring.owner(ofSlot: slot).flatMap { places?[$0] }
            if before == new.ring.owner(ofSlot: slot) { session.onEpoch(now: now) } else { session.ownerHasChanged(now: now) }
        }
    }
}
