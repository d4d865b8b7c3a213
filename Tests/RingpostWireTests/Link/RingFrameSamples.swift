// Frames about the ring itself, for the tests of the link codec: heartbeats, member lists, orders.
import RingpostCore
import RingpostWire

enum RingFrameSamples {
    private static let member = Member(
        id: "n1", boot: 7, weight: 65_535, zone: "Köln", protocolVersion: 1, client: "10.0.0.1:8080", api: "[::1]:8081",
        link: "n1.test:8082")
    private static let plain = Member(id: "n-2", boot: .max, weight: 0, protocolVersion: 1, client: "a:1", api: "a:2", link: "a:3")
    /// As many as there may be, one of them as long as they come.
    private static let most = (1..<LinkStanding.unreachableMax).map { "\($0)" } + [String(repeating: "x", count: NodeID.bytesMax)]

    static let all: [LinkFrame] = [
        .ping(query: 1, sentAt: -5, LinkStanding(epoch: 1, digest: 2, reachesZooKeeper: true, isLeaving: false)),
        .pong(query: 1, sentAt: .max, LinkStanding(epoch: 1, digest: 2, reachesZooKeeper: false, isLeaving: true)),
        .ping(
            query: 0, sentAt: 0,
            LinkStanding(epoch: .max, digest: 0, reachesZooKeeper: false, isLeaving: false, isDraining: true, unreachable: ["n1", "n-2"])),
        .pong(
            query: 0, sentAt: 0,
            LinkStanding(epoch: 0, digest: 0, reachesZooKeeper: true, isLeaving: true, isDraining: true, unreachable: most)),
        .members(epoch: 9, generation: .max, [member, plain]), .members(epoch: 9, generation: 0, []),
        .ask(request: 1, .drain, argument: []), .ask(request: 2, .weight, argument: [0x64, 0x00]),
    ]
}
