// A shard's runtime, as code above it uses it.
import Logging
import NIOCore
import RingpostCore

extension Shard {
    package var index: Int { runtime.index }
    package var eventLoop: any EventLoop { runtime.eventLoop }
    var logger: Logger { runtime.logger }
    var counters: ShardCounters {
        _read { yield runtime.counters }
        _modify { yield &runtime.counters }
    }

    package var machine: ShardMachine { _read { yield shell.machine } }
    var channels: ChannelTable { subscriptions.channels }
    var socketsMax: Int { subscriptions.socketsMax }
    package var view: MembershipView? { shell.view }
    /// The ring in force.
    ///
    /// - Throws: that this node is not in a ring yet.
    func currentView() throws(ProblemReport) -> MembershipView { try shell.currentView() }
    func decide(_ body: (inout ShardMachine, Moment, inout [ShardAction]) -> Void) { shell.decide(body) }

    func shardIndex(_ slot: Int) -> Int { runtime.shardIndex(slot) }
    package func post(_ message: ShardMessage, to shardIndex: Int) { runtime.post(message, to: shardIndex) }
    func postToAll(_ message: ShardMessage) { runtime.postToAll(message) }
    func onRequest(bytes: Int = 0) { runtime.onRequest(bytes: bytes) }
    func spendTurn(requests: Int) { runtime.spendTurn(requests: requests) }
    func inNextTurn(_ work: @escaping () -> Void) { runtime.inNextTurn(work) }
}

extension Connection {
    /// The shard that serves the connection.
    var shard: Shard {
        guard let shard = runtime.shard else { preconditionFailure("a connection before its shard") }
        return unsafeDowncast(shard, to: Shard.self)
    }
}
