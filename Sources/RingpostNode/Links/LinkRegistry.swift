// The lines of a node's accepted connections, which its shards share.
import RingpostCore
import RingpostWire
import Synchronization

final class LinkRegistry: Sendable {
    private let lines = Mutex(LinkLines<LinkServer>())

    func enter(_ hello: LinkHello, by server: LinkServer) -> LinkLines<LinkServer>.Turn {
        lines.withLock { $0.enter(server, line: Self.line(hello), boot: hello.boot, dial: hello.dial) }
    }

    func leave(_ hello: LinkHello, by server: LinkServer) {
        lines.withLock { $0.leave(Self.line(hello)) { $0 === server } }
    }

    private static func line(_ hello: LinkHello) -> LinkLines<LinkServer>.Line { .init(node: hello.from, shard: hello.line) }
}
