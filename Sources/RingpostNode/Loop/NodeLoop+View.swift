// A new epoch reaches a loop: links to members come and go, lanes try again, mailboxes of other owners are given up,
// and sockets whose owner has changed attach to the new one.
import RingpostCore

extension NodeLoop {
    func apply(_ view: MembershipView) {
        if let current = self.view, view.epoch < current.epoch { return }
        let old = self.view
        self.view = view
        updateLinks()
        updateRoutes()
        let now = Moment.now().monotonic
        withOwnerActions { store.keepOnly(slots: { self.isHere($0) }, actions: &$0) }
        withLaneActions { lanes.onEpoch(view.epoch, now: now, route: route, actions: &$0) }
        reattach(from: old, to: view, now: now)
    }

    func setLease(until: Int64) { lanes.mayActUntil = until }

    private func isHere(_ slot: Int) -> Bool {
        guard let view, let place = view.ring.owner(ofSlot: slot) else { return false }
        return place == view.selfPlace
    }

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

    /// For every place of the ring, where it is reached now; also called when a link comes up or goes down.
    func updateRoutes() {
        guard let view else { return }
        var byIdentity: [MemberIdentity: PublishLanes.Route] = [:]
        for case .some(let link) in links where link.isUp { byIdentity[link.member] = .peer(link.handle) }
        routes = view.members.enumerated().map { place, member in
            place == view.selfPlace ? .here : byIdentity[member.identity] ?? .unreachable
        }
    }

    func linkIsUp(_ handle: UInt32) {
        updateRoutes()
        let now = Moment.now().monotonic
        withLaneActions { lanes.onEpoch(lanes.epoch, now: now, route: route, actions: &$0) }
        for number in restless { sessions[number]?.onEpoch(now: now) }
        shared.onLinkChange(self)
    }

    func linkIsDown(_ handle: UInt32) {
        updateRoutes()
        withLaneActions { lanes.onPeerDown(handle, actions: &$0) }
        shared.onLinkChange(self)
    }

    private func reattach(from old: MembershipView?, to new: MembershipView, now: Int64) {
        for number in sessions.numbers {
            guard let session = sessions[number] else { continue }
            let slot = session.key.slot
            if old?.owner(ofSlot: slot)?.identity != new.owner(ofSlot: slot)?.identity {
                session.ownerHasChanged(now: now)
            } else {
                session.onEpoch(now: now)
            }
        }
    }
}
