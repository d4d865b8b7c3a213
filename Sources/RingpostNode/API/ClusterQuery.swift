// Questions of operators: each loop is asked on this node, each other member over the links; who does not answer in time
// is left out, not waited for.
import FoundationEssentials
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

extension ShardGroup {
    /// How long another member may take to answer; the whole answer must be there within two seconds.
    static let answerMillisecondsMax: Int64 = 1_500

    /// All loops' snapshots added up.
    func snapshot(countsSlots: Bool, on eventLoop: any EventLoop) -> EventLoopFuture<ShardSnapshot> {
        let parts = shards.map { shard in shard.eventLoop.submit { shard.snapshot(countsSlots: countsSlots) } }
        return EventLoopFuture.whenAllSucceed(parts, on: eventLoop).map { snapshots in
            snapshots.reduce(into: ShardSnapshot()) { $0 += $1 }
        }
    }

    /// This node's own report.
    func report(on eventLoop: any EventLoop) -> EventLoopFuture<NodeStatus> {
        snapshot(countsSlots: false, on: eventLoop).map { snapshot in
            let context = self.context
            let view = context.view
            let counters = snapshot.counters
            let published = counters.delivered + counters.stored + counters.dropped + counters.unknown + counters.repeated
            return NodeStatus(
                epoch: view?.epoch ?? 0, digest: (view?.ring.digest ?? 0).hexadecimal, lease: context.lease.name,
                ageMilliseconds: context.ringAgeMilliseconds, uptimeSeconds: (Moment.now().monotonic - context.startedAt) / 1_000,
                loops: context.shardCount, users: snapshot.mailboxes, historyBytes: snapshot.historyBytes,
                olderBytes: context.store == nil ? nil : snapshot.olderBytes,
                sockets: .init(
                    ws: counters.sockets(.webSocket), sse: counters.sockets(.eventStream), poll: counters.sockets(.poll)),
                messages: .init(published: published, forwarded: snapshot.forwarded, delivered: counters.written.reduce(0, +)),
                parked: snapshot.parked, draining: context.drain.map { NodeReport.Draining($0, now: Moment.now().monotonic) },
                waiting: context.standing.slotsWait.map { NodeReport.Waiting($0, now: Moment.now().monotonic) },
                alarms: context.standing.alarms.map(\.sentence),
                namespaces: context.configuration.namespaces.isEmpty ? nil : context.configuration.namespaces.digest.hexadecimal,
                version: RingpostVersion.text)
        }
    }

    func report(on key: Key, eventLoop: any EventLoop) -> EventLoopFuture<KeyStatus> {
        let parts = shards.map { shard in shard.eventLoop.flatSubmit { shard.storedReport(on: key) } }
        return EventLoopFuture.whenAllSucceed(parts, on: eventLoop).map { $0.merged }
    }

    /// What this node knows of a channel as its owner.
    func channelReport(on key: Key, eventLoop: any EventLoop) -> EventLoopFuture<ChannelStatus> {
        let shard = shards[key.slot % shards.count]
        return shard.eventLoop.flatSubmit { shard.storedChannelReport(on: key) }.hop(to: eventLoop)
    }

    /// Answers another node's question; not at all when it makes no sense.
    func answer(_ question: LinkQuestion, _ argument: [UInt8], on eventLoop: any EventLoop, _ answer: @escaping @Sendable ([UInt8]) -> Void)
    {
        switch question {
        case .status: report(on: eventLoop).whenSuccess { answer(JSONDocument.encode($0)) }
        case .key:
            guard let key = key(argument) else { return }
            if key.kind == .channel {
                channelReport(on: key, eventLoop: eventLoop).whenSuccess { answer(JSONDocument.encode($0)) }
            } else {
                report(on: key, eventLoop: eventLoop).whenSuccess { answer(JSONDocument.encode($0)) }
            }
        case .disconnect:
            guard let first = argument.first, let key = key(Array(argument.dropFirst())) else { return }
            audit("disconnect", on: key.text, result: "done")
            disconnect(key, resumes: first != 0, on: eventLoop).whenSuccess {
                answer(JSONDocument.encode(DisconnectAnswer(sockets: $0)))
            }
        case .drain, .weight:
            guard let order = OperatorOrder(question, argument) else { return }
            Task {
                let done = await context.perform(order)
                audit(order.text, on: context.configuration.id, result: done.code ?? "accepted")
                let json = JSONDocument.encode(done)
                context.loops.execute(on: eventLoop) { answer(json) }
            }
        }
    }

    /// Another node has passed on what it was ordered; that one knows by whom.
    private func audit(_ order: String, on target: String, result: String) {
        context.audit?.record(AuditEntry(order: order, on: target, key: nil, from: "another node").with(result: result))
    }

    /// The kind byte and the name.
    private func key(_ argument: [UInt8]) -> Key? {
        guard let hasher = context.view?.hasher, let byte = argument.first, let kind = KeyKind(rawValue: byte) else { return nil }
        do throws(NameError) { return try Key(kind, name: Array(argument.dropFirst()), hasher: hasher) } catch {
            context.logger.debug("a question about a bad name", metadata: ["why": "\(error.message)"])
            return nil
        }
    }

    /// Asks every other member over this loop's links. The answer holds `nil` for who said nothing in time.
    func askOthers(_ question: LinkQuestion, argument: [UInt8], from shard: Shard) -> EventLoopFuture<[String: [UInt8]?]> {
        let asked = shard.links.allDialled.map { link in
            let id = link.member.id
            return ask(link, question, argument: argument, from: shard).map { (id, $0) }
        }
        return EventLoopFuture.whenAllSucceed(asked, on: shard.eventLoop).map { Dictionary($0, uniquingKeysWith: { $1 }) }
    }

    /// Asks one member; `nil` when it says nothing in time.
    func ask(_ link: LinkClient, _ question: LinkQuestion, argument: [UInt8], from shard: Shard) -> EventLoopFuture<[UInt8]?> {
        let promise = shard.eventLoop.makePromise(of: [UInt8]?.self)
        var isAnswered = false
        func finish(_ json: [UInt8]?) {
            if isAnswered { return }
            isAnswered = true
            promise.succeed(json)
        }
        shard.eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(Self.answerMillisecondsMax)) { finish(nil) }
        link.ask(question, argument: argument) { finish($0) }
        return promise.futureResult
    }
}

extension NodeContext {
    /// How long ago ZooKeeper last confirmed the ring.
    var ringAgeMilliseconds: Int64 {
        guard configuration.zookeeper != nil, let confirmed = lastConfirmed else { return 0 }
        return max(0, Moment.now().monotonic - confirmed)
    }
}

extension Lease {
    /// For operators and metrics.
    var name: String {
        switch state {
        case .leased: "leased"
        case .outage: "outage"
        case .frozen: "frozen"
        }
    }
}

/// The program's version.
public enum RingpostVersion {
    /// As `ringpost --version` and reports show it.
    public static let text = "0.1.0"
}
