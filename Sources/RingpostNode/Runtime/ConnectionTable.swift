// Every connection of one event loop: clients', producers' and links'. It knows which deadlines are to be checked in which tick, so that a
// tick never looks at all of them.

struct ConnectionTable {
    /// Every connection's deadline is checked once in so many ticks.
    static let ticksPerRound = 20

    private var connections: [Connection?] = []
    private var freeIndices: [Int] = []
    private var lastChecked = 0
    private var leftToCheck = 0

    /// All connections as they are now; who comes or goes meanwhile changes nothing in it.
    var all: some Sequence<Connection> { connections.lazy.compactMap(\.self) }

    /// - Returns: the index under which the connection is unregistered.
    mutating func register(_ connection: Connection) -> Int {
        if let connectionIndex = freeIndices.popLast() {
            connections[connectionIndex] = connection
            return connectionIndex
        }
        connections.append(connection)
        return connections.count - 1
    }

    mutating func unregister(_ connectionIndex: Int) {
        connections[connectionIndex] = nil
        freeIndices.append(connectionIndex)
    }

    /// A tick begins: its share of the deadlines is to be checked, besides what is left of earlier ticks.
    ///
    /// - Returns: false when earlier deadlines are still being checked.
    mutating func beginTick() -> Bool {
        let isIdle = leftToCheck == 0
        leftToCheck = min(connections.count, leftToCheck + (connections.count + Self.ticksPerRound - 1) / Self.ticksPerRound)
        return isIdle
    }

    /// The next connection whose deadline is to be checked; `nil` when this tick's share is done.
    mutating func nextToCheck() -> Connection? {
        while leftToCheck > 0 {
            leftToCheck -= 1
            lastChecked = lastChecked + 1 < connections.count ? lastChecked + 1 : 0
            if lastChecked < connections.count, let connection = connections[lastChecked] { return connection }
        }
        return nil
    }
}
