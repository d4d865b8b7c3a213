// How the node is, for balancers and orchestrators, on the client port and on the API port. Asks for no key and no token.
import NIOCore
import RingpostCore
import RingpostWire

struct HealthRoutes {
    let shard: Shard
    private var context: NodeContext { shard.context }

    /// The process runs.
    func health(_ request: HTTPRequest, _ exchange: any HTTPExchange) { exchange.respond(.text("ok\n")) }

    /// The node is a member of the ring, with the right to act. Anybody may ask as often as he likes, so no other event loop is asked.
    func readiness(_ request: HTTPRequest, _ exchange: any HTTPExchange) { exchange.respond(readiness()) }

    private static let notReady = HTTPResponse.failure(status: 503, code: "not_ready", message: "this node is not in the ring yet")

    private static let takesNoTokens = HTTPResponse.failure(
        status: 503, code: "not_ready", message: "this node does not know yet which tokens have been revoked, and takes none")

    private func readiness() -> HTTPResponse {
        // Shards hear of the ring a moment after it is known, and until then they refuse what comes.
        guard context.allShardsKnowRing, let view = context.view, view.selfIndex != nil else { return Self.notReady }
        guard context.takesTokens else { return Self.takesNoTokens }
        let lease = context.lease
        guard lease.mayAct(now: Moment.now().monotonic) else {
            return .failure(
                status: 503, code: "not_ready",
                message: "this node has lost touch with ZooKeeper \(context.ringAgeMilliseconds) ms ago and is frozen")
        }
        // Clients that come here would wait for their own slots, or for those of others that are as badly off.
        if let waits = context.standing.slotsWait, waits.isLong {
            let waiting = NodeReport.Waiting(waits, now: Moment.now().monotonic)
            return .failure(status: 503, code: "not_ready", message: "this node's slots have nobody: \(waiting.sentence)")
        }
        return .text("ready: epoch \(view.epoch), \(view.members.count) members, \(lease.name)\n")
    }
}
