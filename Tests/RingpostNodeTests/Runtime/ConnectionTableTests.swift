import Testing

@testable import RingpostNode

@Suite struct ConnectionTableTests {
    private let node: EmbeddedNode
    private var table = ConnectionTable()

    init() throws { node = try EmbeddedNode() }

    private func connection() -> Connection { Connection(runtime: node.shard.runtime) }

    private mutating func checkedInOneTick() -> [ObjectIdentifier] {
        guard table.beginTick() else { return [] }
        var checked: [ObjectIdentifier] = []
        while let connection = table.nextToCheck() { checked.append(ObjectIdentifier(connection)) }
        return checked
    }

    @Test mutating func everyDeadlineIsCheckedOnceInARound() {
        let connections = (0..<3 * ConnectionTable.ticksPerRound).map { _ in connection() }
        for connection in connections { _ = table.register(connection) }
        var checked: [ObjectIdentifier] = []
        for _ in 0..<ConnectionTable.ticksPerRound {
            let inThisTick = checkedInOneTick()
            #expect(inThisTick.count == 3)
            checked += inThisTick
        }
        #expect(Set(checked) == Set(connections.map(ObjectIdentifier.init)) && checked.count == connections.count)
    }

    @Test mutating func whatIsLeftOfATickIsCheckedWithTheNextOne() {
        for _ in 0..<3 * ConnectionTable.ticksPerRound { _ = table.register(connection()) }
        #expect(table.beginTick() == true)
        _ = table.nextToCheck()
        #expect(table.beginTick() == false)
        var left = 0
        while table.nextToCheck() != nil { left += 1 }
        #expect(left == 5)
    }

    @Test mutating func anIndexIsUsedAgain() {
        let (first, second, third) = (connection(), connection(), connection())
        let firstIndex = table.register(first)
        let secondIndex = table.register(second)
        #expect(firstIndex != secondIndex)
        table.unregister(firstIndex)
        #expect(Array(table.all).map(ObjectIdentifier.init) == [ObjectIdentifier(second)])
        #expect(table.register(third) == firstIndex)
        #expect(Array(table.all).map(ObjectIdentifier.init) == [ObjectIdentifier(third), ObjectIdentifier(second)])
    }
}
