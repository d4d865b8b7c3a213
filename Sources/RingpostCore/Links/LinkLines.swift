// Which accepted connection is the latest of each line: of one shard of another member to this node. When a connection breaks, the
// dialling side notices first and dials again, while what it had said before may still be on its way here. None of that may be heard after
// what it says on the new connection: a release or a copy that arrives late would undo what came since, a publish would be there twice.

/// The latest connection of each line. Not more than there are accepted connections.
public struct LinkLines<Connection> {
    /// Of a node, not of a boot: what it said under an earlier one is as late.
    public struct Line: Hashable, Sendable {
        let node: String
        let shard: UInt16

        /// - Parameters:
        ///   - node: the id of who has dialled.
        ///   - shard: its shard's number.
        public init(node: String, shard: UInt16) {
            self.node = node
            self.shard = shard
        }
    }

    /// What a new connection has to do.
    public enum Turn {
        case first
        /// Nothing is answered on the new one before this one has ended.
        case after(Connection)
        /// A later one is here already.
        case late
    }

    private var latest: [Line: (boot: UInt64, dial: UInt64, connection: Connection)] = [:]

    /// No connections.
    public init() {}

    /// A connection has introduced itself.
    ///
    /// - Parameters:
    ///   - boot: of who has dialled.
    ///   - dial: how often that shard of that boot had dialled then.
    public mutating func enter(_ connection: Connection, line: Line, boot: UInt64, dial: UInt64) -> Turn {
        let before = latest[line]
        // Another process counts anew.
        if let before, before.boot == boot, before.dial >= dial { return .late }
        latest[line] = (boot, dial, connection)
        return before.map { .after($0.connection) } ?? .first
    }

    /// A connection has ended; `isIt` tells it from a later one.
    public mutating func leave(_ line: Line, _ isIt: (Connection) -> Bool) {
        if let entry = latest[line], isIt(entry.connection) { latest[line] = nil }
    }
}
