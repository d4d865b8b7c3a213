import HashRing
import RingpostCore
import Testing

@testable import RingpostNode

@Suite struct PollerTableTests {
    private let node: EmbeddedNode
    private let alice: Key
    private let bob: Key
    private var pollers = PollerTable()

    init() throws {
        node = try EmbeddedNode()
        alice = try Key(.user, name: Array("alice".utf8), hasher: node.view.hasher)
        bob = try Key(.user, name: Array("bob".utf8), hasher: node.view.hasher)
    }

    @Test mutating func aUserIsThereFromTheFirstPollUntilTheNextOneHasNotCome() {
        pollers.remember(alice, since: 10, until: 100)
        #expect(pollers.since(alice, now: 99) == 10 && pollers.since(alice, now: 100) == nil && pollers.since(bob, now: 50) == nil)
        // The next poll came in time: still since the first one.
        pollers.remember(alice, since: 90, until: 200)
        #expect(pollers.since(alice, now: 199) == 10)
        // This one came too late.
        pollers.remember(alice, since: 210, until: 300)
        #expect(pollers.since(alice, now: 250) == 210)
    }

    @Test mutating func thoseWhoHaveNotComeBackAreForgotten() {
        pollers.remember(alice, since: 0, until: 100)
        pollers.remember(bob, since: 0, until: 200)
        pollers.expire(now: 100)
        #expect(pollers.since(alice, now: 50) == nil && pollers.since(bob, now: 50) == 0)
    }
}
