// What operators and machines ask the API port: who is in the ring, where a user is, is this node well. Half a dozen
// fixed paths, so a switch is the router; the hot routes of the same port stand in ProducerRoutes.
import FoundationEssentials
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

struct OperatorRoutes {
    let shard: Shard
    var shared: NodeContext { shard.shared }

    init(shard: Shard) { self.shard = shard }

    /// What asks how the node is gets an answer whatever is the matter with it; the first two need no key.
    static let alwaysAnswered = ["/healthz", "/readyz", "/metrics"]

    func handle(_ request: HTTPRequest, on connection: HTTPConnection) throws(ProblemReport) {
        let path = request.head.pathText
        let grant = ["/healthz", "/readyz"].contains(path) ? APIGrant.all : try connection.apiGrant(request.head)
        if let (node, order) = Self.order(inPath: path) {
            try shard.require(grant.allowsOrders, "give orders")
            return try handle(order, to: node, request, on: connection)
        }
        if path == "/v1/revocations" || Self.disconnected(inPath: path) != nil {
            return try handleAccess(path, request, grant, on: connection)
        }
        guard Self.name(inPath: path) != nil || ["/v1/ring", "/v1/nodes", "/healthz", "/readyz", "/metrics"].contains(path) else {
            connection.respond(
                to: request.number,
                .problem(.notFound, "there is nothing at this path; docs/guide/operating.md lists what the API port answers"))
            return
        }
        guard request.head.method == .get || request.head.method == .head else {
            var response = HTTPResponse.problem(.methodNotAllowed)
            response.headers.append(("Allow", "GET, HEAD"))
            connection.respond(to: request.number, response)
            return
        }
        try check(path, grant)
        answer(request, on: connection, answer(path, request.head))
    }

    private func check(_ path: String, _ grant: APIGrant) throws(ProblemReport) {
        switch path {
        case "/healthz", "/readyz": break
        // It says where links are, which producers need.
        case "/v1/nodes": try shard.require(grant.allowsReadingAll || grant.allowsPublishing, "ask this")
        case "/metrics", "/v1/ring": try shard.require(grant.allowsReadingAll, "ask this")
        default:
            guard let name = Self.name(inPath: path)?.name else { return }
            try shard.require(grant.allowsReading(HTTPTarget.decode(name) ?? name), "ask about this")
        }
    }

    /// The undecoded name in `/v1/users/{user}` or `/v1/channels/{channel}`.
    private static func name(inPath path: String) -> (kind: KeyKind, name: [UInt8])? {
        for (kind, prefix) in [(KeyKind.user, "/v1/users/"), (.channel, "/v1/channels/")] where path.hasPrefix(prefix) {
            let name = path.utf8.dropFirst(prefix.utf8.count)
            return name.isEmpty || name.contains(UInt8(ascii: "/")) ? nil : (kind, Array(name))
        }
        return nil
    }

    private func answer(_ path: String, _ head: HTTPRequestHead) -> EventLoopFuture<HTTPResponse> {
        switch path {
        case "/healthz": return shard.eventLoop.makeSucceededFuture(.text("ok\n"))
        case "/readyz": return loopsAreReady().map { $0 ? readiness() : Self.notReady }
        case "/metrics":
            return shared.snapshot(countsSlots: true, on: shard.eventLoop).map {
                .text(MetricsText.render($0, shared), type: "text/plain; version=0.0.4")
            }
        case "/v1/ring", "/v1/nodes": return nodes(isRing: path == "/v1/ring")
        default:
            guard let view = shared.view, let (kind, name) = Self.name(inPath: path) else {
                return shard.eventLoop.makeFailedFuture(ProblemReport.notInARing)
            }
            do throws(ProblemReport) {
                let key = try ProducerRoutes.key(kind, percentEncoded: name, hasher: view.hasher)
                return kind == .user ? user(key, view) : channel(key, view)
            } catch {
                return shard.eventLoop.makeFailedFuture(error)
            }
        }
    }

    private static let notReady = HTTPResponse.failure(status: 503, code: "not_ready", message: "this node is not in the ring yet")

    /// Every event loop knows the ring: they hear of it a moment after it is known, and until then they refuse what comes.
    private func loopsAreReady() -> EventLoopFuture<Bool> {
        let parts = shared.shards.map { shard in shard.eventLoop.submit { shard.view != nil } }
        return EventLoopFuture.whenAllSucceed(parts, on: shard.eventLoop).map { $0.allSatisfy { $0 } }
    }

    /// Ready: a member of the ring, with the right to act.
    private func readiness() -> HTTPResponse {
        guard let view = shared.view, view.selfIndex != nil else { return Self.notReady }
        let lease = shared.lease
        guard lease.mayAct(now: Moment.now().monotonic) else {
            return .failure(
                status: 503, code: "not_ready",
                message: "this node has lost touch with ZooKeeper \(shared.ringAgeMilliseconds) ms ago and is frozen")
        }
        return .text("ready: epoch \(view.epoch), \(view.members.count) members, \(lease.name)\n")
    }

    private func nodes(isRing: Bool) -> EventLoopFuture<HTTPResponse> {
        guard let view = shared.view else {
            return shard.eventLoop.makeFailedFuture(ProblemReport.notInARing)
        }
        let shared = shared
        let own = shared.report(on: shard.eventLoop)
        let others = shared.askOthers(.status, argument: [], from: shard)
        return own.and(others).map { own, others in
            let slots = view.ring.slotsOwned()
            let nodes = view.members.enumerated().map { index, member in
                let json = others[member.id] ?? nil
                let report = index == view.selfIndex ? own : json.flatMap { try? JSONDecoder().decode(NodeReport.self, from: Data($0)) }
                return NodeEntry(member: member, slots: slots[index], report: report)
            }.sorted { $0.member.id < $1.member.id }
            if !isRing { return .json(JSONDocument.encode(NodesAnswer(nodes: nodes))) }
            return .json(
                JSONDocument.encode(
                    RingAnswer(
                        cluster: shared.configuration.cluster, generation: view.generation.hexadecimal, epoch: view.epoch,
                        epochAgeMilliseconds: shared.ringAgeMilliseconds, digest: view.ring.digest.hexadecimal, slots: HashRing.slotCount,
                        answeredBy: shared.configuration.id, nodes: nodes)))
        }
    }

    /// The owner alone knows who listens: it is asked, wherever it is.
    private func channel(_ key: Key, _ view: MembershipView) -> EventLoopFuture<HTTPResponse> {
        let preference = view.ring.preference(ofSlot: key.slot, count: 3).map { view.members[$0].id }
        return ownersReport(on: key, view).flatMapThrowing { report in
            guard let report else { throw ProblemReport(.ownerUnreachable) }
            // Before it has the slot's history, or because the ring has just changed.
            if !report.isOwner { throw ProblemReport(.retry) }
            return .json(
                JSONDocument.encode(
                    ChannelAnswer(
                        channel: key.text, hash: key.hash.rawValue.hexadecimal, slot: key.slot, epoch: view.epoch,
                        owner: preference.first ?? "", next: Array(preference.dropFirst()), cursor: report.cursor, history: report.history,
                        subscribers: report.subscribers, users: report.users, nodes: report.nodes, complete: report.complete)))
        }
    }

    private func ownersReport(on key: Key, _ view: MembershipView) -> EventLoopFuture<ChannelReport?> {
        guard let owner = view.ring.owner(ofSlot: key.slot) else {
            return shard.eventLoop.makeFailedFuture(ProblemReport(.noOwner))
        }
        if owner == view.selfIndex { return shared.channelReport(on: key, eventLoop: shard.eventLoop).map { $0 } }
        guard let link = shard.links.link(to: view.members[owner].identity) else {
            return shard.eventLoop.makeSucceededFuture(nil)
        }
        return shared.ask(link, .key, argument: [key.kind.rawValue] + key.name, from: shard).map { json in
            json.flatMap { try? JSONDecoder().decode(ChannelReport.self, from: Data($0)) }
        }
    }

    private func user(_ key: Key, _ view: MembershipView) -> EventLoopFuture<HTTPResponse> {
        let own = shared.report(on: key, eventLoop: shard.eventLoop)
        let others = shared.askOthers(.key, argument: [key.kind.rawValue] + key.name, from: shard)
        let me = shared.configuration.id
        return own.and(others).map { own, others in
            let reports = others.mapValues { json in json.flatMap { try? JSONDecoder().decode(KeyReport.self, from: Data($0)) } }
            let preference = view.ring.preference(ofSlot: key.slot, count: 3).map { view.members[$0].id }
            let merged = ([own] + reports.values.compactMap { $0 }).merged
            let owner = preference.first.flatMap { $0 == me ? own : reports[$0] ?? nil }
            return .json(
                JSONDocument.encode(
                    UserAnswer(
                        user: key.text, hash: key.hash.rawValue.hexadecimal, slot: key.slot, epoch: view.epoch,
                        owner: preference.first ?? "",
                        next: Array(preference.dropFirst()), cursor: owner?.cursor, history: owner?.history,
                        online: merged.since != nil, since: merged.since, lastSeen: merged.since == nil ? owner?.lastSeen : nil,
                        sockets: merged.sockets,
                        unanswered: reports.filter { $0.value == nil }.keys.sorted())))
        }
    }
}
