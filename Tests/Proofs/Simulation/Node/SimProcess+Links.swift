// What a node's links do: one dialled to every other member, one accepted from it, heartbeats both ways, and back-off.

import RingpostCore

/// A link that this process dials.
final class SimLink {
    enum State {
        case waiting(until: Int64)
        case dialling(since: Int64)
        case up
        /// The member has left the ring.
        case stopped
    }

    let handle: UInt32
    let member: Member
    var state = State.waiting(until: .min)
    var connection: SimConnection?
    /// Grows with every attempt: what belongs to an earlier one is void.
    var attempt = 0
    var failures = 0
    var lastHeard: Int64 = 0
    var lastPing: Int64 = 0
    /// Attachments of sockets here that it carries.
    var attachments: Set<UInt64> = []
    /// Of the member list that was last sent here.
    var toldEpoch: UInt64 = 0

    init(handle: UInt32, member: Member) {
        self.handle = handle
        self.member = member
    }

    var isUp: Bool { if case .up = state { true } else { false } }
}

/// The accepted end of a link, or of a producer's connection.
final class SimAccepted {
    enum Kind {
        case node(MemberIdentity)
        case producer
    }

    let channel: UInt32
    let connection: SimConnection
    let kind: Kind
    let stream: UInt64
    var lastHeard: Int64
    /// Of the member list that was last sent here.
    var toldEpoch: UInt64 = 0

    init(channel: UInt32, connection: SimConnection, kind: Kind, stream: UInt64, now: Int64) {
        self.channel = channel
        self.connection = connection
        self.kind = kind
        self.stream = stream
        lastHeard = now
    }
}

extension SimProcess {
    static let dialMillisecondsMax: Int64 = 3_000

    private var heartbeat: Int64 { Int64(simulation.document.heartbeatTimeoutMilliseconds) }

    // MARK: Dialling

    func updateLinks(_ view: MembershipView) {
        let others = view.members.filter { $0.identity != identity }
        for link in links {
            if case .stopped = link.state { continue }
            if !others.contains(where: { $0.identity == link.member.identity }) { stop(link) }
        }
        for member in others where !peers.isRefused(member.identity) {
            let isKnown = links.contains { link in
                if case .stopped = link.state { return false }
                return link.member.identity == member.identity
            }
            if isKnown { continue }
            let link = SimLink(handle: UInt32(links.count), member: member)
            links.append(link)
            dial(link)
        }
    }

    private func stop(_ link: SimLink) {
        let wasUp = link.isUp
        link.state = .stopped
        link.attempt += 1
        link.connection?.close(from: .dialling)
        link.connection = nil
        if wasUp { linkHasEnded(link) }
    }

    func refuse(_ peer: MemberIdentity) {
        peers.refuse(peer)
        for link in links where link.member.identity == peer { stop(link) }
        for end in accepted.values.sorted(by: { $0.channel < $1.channel }) {
            if case .node(peer) = end.kind { close(end) }
        }
    }

    private func dial(_ link: SimLink) {
        link.state = .dialling(since: now)
        link.attempt += 1
        let attempt = link.attempt
        guard let target = simulation.nodes.first(where: { $0.id == link.member.id }) else { return }
        simulation.after(random.draw(100...1_500)) { [weak self] in
            guard let self, !self.isDead, link.attempt == attempt else { return }
            // Packets that nobody answers: the attempt ends by its time-out.
            if self.simulation.network.isCutEitherWay(self.node.index, target.index) { return }
            guard let process = target.process else { return self.enter { if link.attempt == attempt { self.onClosed(link) } } }
            let connection = self.simulation.network.connect(from: self.node.index, self, to: target.index, process)
            process.accept(connection)
            self.enter {
                guard link.attempt == attempt, let view = self.view else { return connection.close(from: .dialling) }
                link.connection = connection
                connection.send(.hello(from: self.identity, to: link.member.identity, generation: view.generation), from: .dialling)
            }
        }
    }

    func onTick(_ link: SimLink) {
        switch link.state {
        case .waiting(let until) where now >= until: dial(link)
        case .dialling(let since) where now - since >= Self.dialMillisecondsMax: onClosed(link)
        case .up:
            if now - link.lastHeard >= heartbeat {
                simulation.say(name, "\(link.member.id) is silent")
                onClosed(link)
            } else if now - link.lastPing >= heartbeat / 3 {
                ping(link, query: 0)
            }
        case .waiting, .dialling, .stopped: break
        }
    }

    func ping(_ link: SimLink, query: UInt64) {
        guard link.isUp else { return }
        link.lastPing = now
        link.connection?.send(.ping(query: query, standing), from: .dialling)
    }

    /// This node has another boot: a link that was made under the old one is no use.
    func redial(_ link: SimLink) {
        if case .stopped = link.state { return }
        onClosed(link)
    }

    func onClosed(_ link: SimLink) {
        let wasUp = link.isUp
        link.connection?.close(from: .dialling)
        link.connection = nil
        link.attempt += 1
        if case .stopped = link.state { return }
        link.failures += 1
        let most = min(2_000, Int64(50) << Int64(min(link.failures, 10)))
        link.state = .waiting(until: now + 50 + random.draw(0...most))
        if wasUp { linkHasEnded(link) }
    }

    private func linkHasEnded(_ link: SimLink) {
        simulation.say(name, "link to \(link.member.id) is down")
        linksHaveChanged()
        let ended = link.attachments.sorted()
        link.attachments = []
        for attachment in ended { onDetached(attachment) }
        withLoop { $0.linkIsDown(link.handle, now: self.moment, actions: &$1) }
    }

    /// From the node that was dialled.
    func onFrame(_ frame: SimFrame, _ link: SimLink) {
        link.lastHeard = now
        switch frame {
        case .welcome:
            guard case .dialling = link.state else { return }
            link.state = .up
            link.failures = 0
            link.toldEpoch = 0
            linksHaveChanged()
            withLoop { $0.linkIsUp(link.handle, to: link.member.identity, now: self.moment, actions: &$1) }
            for socket in sockets { perform(socket.machine.onEpoch(now: now), socket) }
        case .pong(let query, let standing):
            onStanding(standing, of: link.member.identity, query: query)
            if let view = peers.news(for: standing, told: &link.toldEpoch) { link.connection?.send(.members(view), from: .dialling) }
        case .members(let epoch, let members, let generation): onOffer(epoch, members, generation)
        case .answer(let request, let result):
            isRelaying = true
            withLoop { $0.onAnswer(request: request, result, now: self.moment, actions: &$1) }
            isRelaying = false
        case .attached(let attachment, let result):
            if case .success(let reply) = result, reply.isLive {} else { link.attachments.remove(attachment) }
            onAttached(attachment, result)
        case .deliver(let attachment, let incarnation, let message): onDeliver(attachment, incarnation: incarnation, message)
        case .news(let attachment, let news): onNews(attachment, news)
        case .detached(let attachment):
            link.attachments.remove(attachment)
            onDetached(attachment)
        case .slot(let reply): withLoop { $0.onReply(reply, from: link.handle, now: self.moment, actions: &$1) }
        default: break
        }
    }

    // MARK: Accepting

    func greet(_ connection: SimConnection, from: MemberIdentity, to: MemberIdentity, generation: UInt64) {
        handshakes.removeAll { $0 === connection }
        guard view?.generation == generation, to == identity, !peers.isRefused(from) else {
            return connection.close(from: .accepting)
        }
        // What the peer wrote into an earlier connection and has given up by now must not arrive behind what it writes into this one.
        for older in accepted.values.sorted(by: { $0.channel < $1.channel }) {
            // Under whatever boot it was: see LinkRegistry.
            if case .node(let member) = older.kind, member.id == from.id { close(older) }
        }
        let end = register(connection, .node(from))
        end.connection.send(.welcome, from: .accepting)
    }

    func register(_ connection: SimConnection, _ kind: SimAccepted.Kind) -> SimAccepted {
        lastChannel += 1
        lastStream += 1
        let end = SimAccepted(channel: lastChannel, connection: connection, kind: kind, stream: lastStream, now: now)
        connection.channel = lastChannel
        accepted[lastChannel] = end
        return end
    }

    func close(_ end: SimAccepted) {
        end.connection.close(from: .accepting)
        onClosed(end)
    }

    func onClosed(_ end: SimAccepted) {
        guard accepted.removeValue(forKey: end.channel) != nil else { return }
        loop.connectionEnded(end.channel, now: moment)
        loop.streamEnded(end.stream)
    }

    /// Nodes ping; one that doesn't for long has gone without a word.
    func closeSilentEnds() {
        for end in accepted.values.filter({ now - $0.lastHeard > 2 * heartbeat }).sorted(by: { $0.channel < $1.channel }) {
            if case .node = end.kind { close(end) }
        }
    }

    /// From a node that has dialled this one.
    func onFrame(_ frame: SimFrame, _ end: SimAccepted) {
        end.lastHeard = now
        guard case .node(let peer) = end.kind else { return }
        switch frame {
        case .ping(let query, let standing):
            onStanding(standing, of: peer)
            end.connection.send(.pong(query: query, self.standing), from: .accepting)
            if let view = peers.news(for: standing, told: &end.toldEpoch) { end.connection.send(.members(view), from: .accepting) }
        case .members(let epoch, let members, let generation): onOffer(epoch, members, generation)
        case .forward(let request, let epoch, let hops, let restarts, var publish, let budget):
            publish.deadline = now + budget
            let context = PublishContext(
                address: ReturnAddress(connectionID: end.channel, id: request), hops: hops, epoch: epoch, stream: end.stream,
                restarts: restarts)
            withLoop { $0.submit(publish, context, now: self.moment, actions: &$1) }
        case .attach(let request, let epoch):
            let address = ReturnAddress(connectionID: end.channel, id: request.address.id)
            let local = AttachRequest(key: request.key, address: address, start: request.start, stay: request.stay)
            withLoop { $0.attach(local, epoch: epoch, fromLink: true, now: self.moment, actions: &$1) }
        case .detach(let attachment, let key):
            loop.detach(ReturnAddress(connectionID: end.channel, id: attachment), from: key, now: moment)
        case .report(let attachment, let key, let report):
            let address = ReturnAddress(connectionID: end.channel, id: attachment)
            withLoop { $0.report(report, on: key, from: address, node: peer.id, fromLink: true, now: self.moment, actions: &$1) }
        case .slot(let request):
            withLoop { $0.onRequest(request, from: peer, connectionID: end.channel, now: self.moment, actions: &$1) }
        default: break
        }
    }

    // MARK: Standings

    private var standing: LinkStanding {
        LinkStanding(
            epoch: view?.epoch ?? 0, digest: view?.ring.digest ?? 0, reachesZooKeeper: lastLease?.reachesZooKeeper ?? false,
            isLeaving: isLeaving, isDraining: isDraining, unreachable: peers.unreachable.map(\.id).sorted())
    }

    private func linksHaveChanged() {
        peers.setLinked(Set(links.filter(\.isUp).map(\.member.identity)), ofShard: 0, own: identity)
    }

    private func onStanding(_ standing: LinkStanding, of peer: MemberIdentity, query: UInt64 = 0) {
        for event in peers.onStanding(standing, of: peer, query: query, now: now) { handle(event) }
    }

    private func onOffer(_ epoch: UInt64, _ members: [Member], _ generation: UInt64) {
        handle(.membership(.offered(epoch: epoch, members: members, generation: generation)))
    }
}

extension SimFrame {
    fileprivate static func members(_ view: MembershipView) -> SimFrame {
        .members(epoch: view.epoch, view.members, generation: view.generation)
    }
}
