// How the node is, for balancers and orchestrators, on the client port and on the API port. Asks for no key and no token.
import NIOCore
import RingpostCore
import RingpostWire

struct HealthRoutes {
    let shard: Shard
    private var shared: NodeContext { shard.shared }

    /// The process runs.
    func health(_ request: HTTPRequest, _ exchange: any HTTPExchange) { exchange.respond(.text("ok\n")) }

    /// The node is a member of the ring, with the right to act.
    func readiness(_ request: HTTPRequest, _ exchange: any HTTPExchange) {
        exchange.respond(shardsAreReady().map { $0 ? readiness() : Self.notReady }, to: request.head, shard: shard)
    }

    private static let notReady = HTTPResponse.failure(status: 503, code: "not_ready", message: "this node is not in the ring yet")

    /// Every shard knows the ring: they hear of it a moment after it is known, and until then they refuse what comes.
    private func shardsAreReady() -> EventLoopFuture<Bool> {
        let parts = shard.group.shards.map { shard in shard.eventLoop.submit { shard.view != nil } }
        return EventLoopFuture.whenAllSucceed(parts, on: shard.eventLoop).map { $0.allSatisfy { $0 } }
    }

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
}
