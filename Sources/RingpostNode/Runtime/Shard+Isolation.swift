// A node that is cut off from everybody can give its clients nothing new: they are better off elsewhere. One that reaches
// others, even frozen ones, keeps its sockets: elsewhere they would get no more.
import RingpostCore

extension Shard {
    /// Over what time the clients of an isolated node are sent away.
    static let isolationMoveMilliseconds: Int64 = 5_000

    /// In every tick: after as long as a socket waits for an owner out of reach, the clients are asked to go.
    func onIsolationTick(now: Int64) {
        guard now >= machine.leaseUntil, let view, view.members.count > 1, !links.contains(where: { $0?.isUp == true }) else {
            isolatedSince = nil
            if hasSentClientsAway { stopMovingSockets() }
            hasSentClientsAway = false
            return
        }
        let since = isolatedSince ?? now
        isolatedSince = since
        if now - since >= SubscriptionMachine.unreachableMillisecondsMax, !hasSentClientsAway, !admission.isMoving {
            hasSentClientsAway = true
            logger.error("cut off from every other member: asking clients to go elsewhere", metadata: ["loop": "\(index)"])
            moveSockets(milliseconds: Self.isolationMoveMilliseconds, elsewhere: shared.elsewhere(view))
        }
    }
}
