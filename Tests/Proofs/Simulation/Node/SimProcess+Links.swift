// What a node's links do: one dialled to every other member, one accepted from it, heartbeats both ways, and back-off.

import RingpostCore

/// A link that this process dials.
final class SimLink {
    let handle: UInt32
    let member: Member
    var machine: LinkDialMachine
    var connection: SimConnection?
    /// Attachments of sockets here that it carries.
    var attachments: Set<UInt64> = []
    /// Of the member list that was last sent here.
    var toldEpoch: UInt64 = 0

    init(handle: UInt32, member: Member, heartbeatTimeoutMilliseconds: Int64) {
        self.handle = handle
        self.member = member
        machine = LinkDialMachine(heartbeatTimeoutMilliseconds: heartbeatTimeoutMilliseconds)
    }

    var isUp: Bool { machine.isUp }
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
    private var heartbeat: Int64 { Int64(simulation.document.heartbeatTimeoutMilliseconds) }

    // MARK: Dialling

    func updateLinks(_ view: MembershipView) {
        let others = view.members.filter { $0.identity != identity }
        for link in links where !link.machine.isStopped && !others.contains(where: { $0.identity == link.member.identity }) { stop(link) }
        for member in others where !peers.isRefused(member.identity) {
            if links.contains(where: { !$0.machine.isStopped && $0.member.identity == member.identity }) { continue }
            let link = SimLink(handle: UInt32(links.count), member: member, heartbeatTimeoutMilliseconds: heartbeat)
            links.append(link)
            onTick(link)
        }
    }

    private func stop(_ link: SimLink) { hangUp(link, wasUp: link.machine.stop()) }

    func refuse(_ peer: MemberIdentity) {
        peers.refuse(peer)
        for link in links where link.member.identity == peer { stop(link) }
        for end in accepted.values.sorted(by: { $0.channel < $1.channel }) {
            if case .node(peer) = end.kind { close(end) }
        }
    }

    private func dial(_ link: SimLink, attempt: Int) {
        guard let target = simulation.nodes.first(where: { $0.id == link.member.id }) else { return }
        simulation.after(random.draw(100...1_500)) { [weak self] in
            guard let self, !self.isDead, link.machine.isCurrent(attempt) else { return }
            // Packets that nobody answers: the attempt ends by its time-out.
            if self.simulation.network.isCutEitherWay(self.node.index, target.index) { return }
            guard let process = target.process else { return self.enter { if link.machine.isCurrent(attempt) { self.onClosed(link) } } }
            let connection = self.simulation.network.connect(from: self.node.index, self, to: target.index, process)
            process.accept(connection)
            self.enter {
                guard link.machine.isCurrent(attempt), let view = self.view else { return connection.close(from: .dialling) }
                link.connection = connection
                self.dialCount += 1
                let hello = SimFrame.hello(
                    from: self.identity, to: link.member.identity, generation: view.generation, dial: self.dialCount)
                connection.send(hello, from: .dialling)
            }
        }
    }

    func onTick(_ link: SimLink) {
        switch link.machine.onTick(now: now, jitter: random.next()) {
        case .nothing: break
        case .dial(let attempt): dial(link, attempt: attempt)
        case .ping: sendPing(link, query: 0)
        case .close(let end, let wasUp):
            if end == .silent { simulation.say(name, "\(link.member.id) is silent") }
            hangUp(link, wasUp: wasUp)
        }
    }

    func ping(_ link: SimLink, query: UInt64) {
        guard link.isUp else { return }
        link.machine.onPing(now: now)
        sendPing(link, query: query)
    }

    private func sendPing(_ link: SimLink, query: UInt64) { link.connection?.send(.ping(query: query, standing), from: .dialling) }

    /// Its connection has ended. Or this node has another boot, and a link that was made under the old one is no use.
    func onClosed(_ link: SimLink) { hangUp(link, wasUp: link.machine.onClosed(now: now, jitter: random.next())) }

    private func hangUp(_ link: SimLink, wasUp: Bool) {
        link.connection?.close(from: .dialling)
        link.connection = nil
        if wasUp { linkHasEnded(link) }
    }

    private func linkHasEnded(_ link: SimLink) {
        simulation.say(name, "link to \(link.member.id) is down")
        linksHaveChanged()
        let ended = link.attachments.sorted()
        link.attachments = []
        for attachment in ended { onDetached(attachment) }
        store?.linkIsDown(link.handle)
        withLoop { $0.linkIsDown(link.handle, now: self.moment, actions: &$1) }
    }

    /// From the node that was dialled.
    func onFrame(_ frame: SimFrame, _ link: SimLink) {
        link.machine.onHeard(now: now)
        switch frame {
        case .welcome:
            guard link.machine.onWelcome(now: now) else { return }
            link.toldEpoch = 0
            linksHaveChanged()
            withLoop { $0.linkIsUp(link.handle, to: link.member.identity, now: self.moment, actions: &$1) }
            for socket in sockets { perform(socket.machine.onEpoch(now: now), socket) }
        case .pong(let query, let standing):
            link.machine.onPong()
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

    func greet(_ connection: SimConnection, from: MemberIdentity, to: MemberIdentity, generation: UInt64, dial: UInt64) {
        handshakes.removeAll { $0 === connection }
        let objection = LinkObjection.find(
            from: from, to: to, generation: generation, ownGeneration: view?.generation, me: identity, isRefused: peers.isRefused(from))
        guard objection == nil else { return connection.close(from: .accepting) }
        switch lines.enter(connection, line: Self.line(from), boot: from.boot, dial: dial) {
        case .late: return connection.close(from: .accepting)
        case .first: break
        case .after(let older):
            // It has brought all that it ever will.
            if let channel = older.channel, let end = accepted[channel] { close(end) }
        }
        let end = register(connection, .node(from))
        end.connection.send(.welcome, from: .accepting)
    }

    private static func line(_ peer: MemberIdentity) -> LinkLines<SimConnection>.Line { .init(node: peer.id, shard: 0) }

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
        if case .node(let peer) = end.kind { lines.leave(Self.line(peer)) { $0 === end.connection } }
        loop.connectionEnded(end.channel, now: moment)
        loop.streamEnded(end.stream)
    }

    /// Nodes ping; one that doesn't for long has gone without a word.
    func closeSilentEnds() {
        for end in accepted.values.filter({ now - $0.lastHeard > heartbeat }).sorted(by: { $0.channel < $1.channel }) {
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
        case .attach(let request, let epoch, let age):
            let address = ReturnAddress(connectionID: end.channel, id: request.address.id)
            let local = AttachRequest(
                key: request.key, address: address, start: request.start, stay: request.stay, countMax: request.countMax,
                askedAt: request.start == .now ? now - Int64(age) : .max)
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
