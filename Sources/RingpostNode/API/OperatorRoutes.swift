// What operators and machines ask the API port: who is in the ring, where a user is, who listens to a channel.
import FoundationEssentials
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

struct OperatorRoutes {
    let shard: Shard
    var context: NodeContext { shard.context }

    func nodes(_ request: HTTPRequest, _ exchange: any HTTPExchange) throws(ProblemReport) {
        exchange.respond(nodes(isRing: false, try shard.currentView()), to: request.head, shard: shard)
    }

    func ring(_ request: HTTPRequest, _ exchange: any HTTPExchange) throws(ProblemReport) {
        exchange.respond(nodes(isRing: true, try shard.currentView()), to: request.head, shard: shard)
    }

    func user(_ request: HTTPRequest, _ exchange: any HTTPExchange) throws(ProblemReport) {
        let view = try shard.currentView()
        let key = try Key(.user, percentEncoded: request.name, hasher: view.hasher)
        exchange.respond(user(key, view), to: request.head, shard: shard)
    }

    func channel(_ request: HTTPRequest, _ exchange: any HTTPExchange) throws(ProblemReport) {
        let view = try shard.currentView()
        let key = try Key(.channel, percentEncoded: request.name, hasher: view.hasher)
        exchange.respond(channel(key, view), to: request.head, shard: shard)
    }

    private func nodes(isRing: Bool, _ view: MembershipView) -> EventLoopFuture<HTTPResponse> {
        let context = context
        let own = shard.group.report(on: shard.eventLoop)
        let others = shard.group.askOthers(.status, argument: [], from: shard)
        return own.and(others).map { own, others in
            let slots = view.ring.slotsOwned()
            let nodes = view.members.enumerated().map { index, member in
                let json = others[member.id] ?? nil
                let report = index == view.selfIndex ? own : json.flatMap { try? JSONDecoder().decode(NodeStatus.self, from: Data($0)) }
                return NodeReport(member, slots: slots[index], status: report)
            }.sorted { $0.id < $1.id }
            if !isRing { return .json(JSONDocument.encode(NodesReport(nodes: nodes))) }
            return .json(
                JSONDocument.encode(
                    RingReport(
                        cluster: context.configuration.cluster, generation: view.generation.hexadecimal, epoch: view.epoch,
                        epochAgeMilliseconds: context.ringAgeMilliseconds, digest: view.ring.digest.hexadecimal, slots: HashRing.slotCount,
                        copies: view.document.copies == ClusterDocument.copiesDefault ? nil : view.document.copies,
                        answeredBy: context.configuration.id, nodes: nodes)))
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
                    ChannelReport(
                        channel: key.text, hash: key.hash.rawValue.hexadecimal, slot: key.slot, epoch: view.epoch,
                        owner: preference.first ?? "", next: Array(preference.dropFirst()), cursor: report.cursor, history: report.history,
                        subscribers: report.subscribers, users: report.users, nodes: report.nodes, complete: report.complete,
                        waiting: report.waiting)))
        }
    }

    private func ownersReport(on key: Key, _ view: MembershipView) -> EventLoopFuture<ChannelStatus?> {
        guard let owner = view.ring.owner(ofSlot: key.slot) else {
            return shard.eventLoop.makeFailedFuture(ProblemReport(.noOwner))
        }
        if owner == view.selfIndex { return shard.group.channelReport(on: key, eventLoop: shard.eventLoop).map { $0 } }
        guard let link = shard.links.link(to: view.members[owner].identity) else {
            return shard.eventLoop.makeSucceededFuture(nil)
        }
        return shard.group.ask(link, .key, argument: [key.kind.rawValue] + key.name, from: shard).map { json in
            json.flatMap { try? JSONDecoder().decode(ChannelStatus.self, from: Data($0)) }
        }
    }

    private func user(_ key: Key, _ view: MembershipView) -> EventLoopFuture<HTTPResponse> {
        let own = shard.group.report(on: key, eventLoop: shard.eventLoop)
        let others = shard.group.askOthers(.key, argument: [key.kind.rawValue] + key.name, from: shard)
        let me = context.configuration.id
        return own.and(others).map { own, others in
            let reports = others.mapValues { json in json.flatMap { try? JSONDecoder().decode(KeyStatus.self, from: Data($0)) } }
            let preference = view.ring.preference(ofSlot: key.slot, count: 3).map { view.members[$0].id }
            let merged = ([own] + reports.values.compactMap { $0 }).merged
            let owner = preference.first.flatMap { $0 == me ? own : reports[$0] ?? nil }
            return .json(
                JSONDocument.encode(
                    UserReport(
                        user: key.text, hash: key.hash.rawValue.hexadecimal, slot: key.slot, epoch: view.epoch,
                        owner: preference.first ?? "",
                        next: Array(preference.dropFirst()), cursor: owner?.cursor, history: owner?.history,
                        online: merged.since != nil, since: merged.since, lastSeen: merged.since == nil ? owner?.lastSeen : nil,
                        sockets: merged.sockets,
                        unanswered: reports.filter { $0.value == nil }.keys.sorted(), waiting: owner?.waiting)))
        }
    }
}
