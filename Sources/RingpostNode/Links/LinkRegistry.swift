// Which accepted connection is the latest of each line: of one event loop of another member to this node. When a connection breaks, the
// dialling side notices first and dials again, while what it had said before may still be on its way here. None of that may be heard after
// what it says on the new connection: a release or a copy that arrives late would undo what came since, a publish would be there twice.
import RingpostWire
import Synchronization

final class LinkRegistry: Sendable {
    /// Of a node, not of a boot: what it said under an earlier one is as late.
    private struct Line: Hashable {
        let node: String
        let number: UInt16

        init(_ hello: LinkHello) {
            node = hello.from
            number = hello.line
        }
    }

    /// What a new connection has to do.
    enum Turn {
        case first
        /// Nothing is answered on the new one before this one has ended.
        case after(LinkServer)
        /// A later one is here already.
        case late
    }

    /// Not more than there are accepted connections.
    private let latest = Mutex<[Line: (boot: UInt64, dial: UInt64, server: LinkServer)]>([:])

    func take(_ hello: LinkHello, by server: LinkServer) -> Turn {
        latest.withLock { latest in
            let before = latest[Line(hello)]
            // Another process counts anew.
            if let before, before.boot == hello.boot, before.dial >= hello.dial { return .late }
            latest[Line(hello)] = (hello.boot, hello.dial, server)
            return before.map { .after($0.server) } ?? .first
        }
    }

    func giveUp(_ hello: LinkHello, by server: LinkServer) {
        latest.withLock { latest in
            if latest[Line(hello)]?.server === server { latest[Line(hello)] = nil }
        }
    }
}
