// Withdrawing as part of a node: the lock, and what becomes of a withdrawal's orders when the node drains meanwhile.

import Testing

@testable import RingpostCore

@Suite struct NodeWithdrawalTests {
    @Test func noMemberNoLock() throws {
        var machine = try NodeScript.listing()
        var actions: [NodeAction] = []
        machine.takeLock(now: 9, &actions)
        #expect(actions == [])
    }

    @Test func oneThingAboutTheLockAtATime() throws {
        var machine = try NodeScript.leased()
        var actions: [NodeAction] = []
        machine.takeLock(now: 20, &actions)
        #expect(actions == [.takeLock(NodeScript.a)])
        // It was not waited for any more, so it is let go.
        #expect(machine.handle(.lockAnswered(NodeScript.a, .failed), now: 21) == [.releaseLock(NodeScript.a)])
        actions = []
        machine.takeLock(now: 22, &actions)
        #expect(actions == [], "behind the release")
        #expect(machine.handle(.lockReleased(NodeScript.a, isDone: false), now: 23) == [.takeLock(NodeScript.a)])
    }

    @Test func aReleaseIsRepeated() throws {
        var machine = try NodeScript.leased()
        var actions: [NodeAction] = []
        machine.releaseLock(&actions)
        #expect(actions == [.releaseLock(NodeScript.a)])
        #expect(machine.handle(.lockReleased(NodeScript.a, isDone: false), now: 30) == [])
        #expect(!machine.handle(.tick, now: 1_029).contains(.releaseLock(NodeScript.a)))
        #expect(machine.handle(.tick, now: 1_030).contains(.releaseLock(NodeScript.a)))
        #expect(machine.handle(.lockReleased(NodeScript.a, isDone: true), now: 1_031) == [])
        #expect(!machine.handle(.tick, now: 9_000).contains(.releaseLock(NodeScript.a)))
    }

    @Test func theLockGoesWithItsSession() throws {
        var machine = try NodeScript.leased()
        var actions: [NodeAction] = []
        machine.takeLock(now: 20, &actions)
        _ = machine.handle(.membership(.expired(session: 1)), now: 30)
        _ = machine.handle(.membership(.sessionOpened(session: 2, boot: 7)), now: 30)
        #expect(machine.handle(.lockAnswered(NodeScript.a, .taken(epoch: 12)), now: 31) == [], "another boot's")
        #expect(machine.handle(.lockReleased(NodeScript.a, isDone: false), now: 32) == [])
    }

    @Test func aDrainThatSendsClientsAwayIsNotCalledBackByAWithdrawal() throws {
        var machine = try NodeScript.leased()
        func perform(_ wanted: [WithdrawalMachine.Action]) -> [NodeAction] {
            var actions: [NodeAction] = []
            machine.perform(wanted, now: 200, &actions)
            return actions
        }
        #expect(perform([.keepSockets]) == [.keepSockets])
        _ = machine.handle(.drain(.order), now: 100)
        #expect(perform([.keepSockets]) == [.keepSockets])
        _ = NodeScript.look(&machine, ticket: 1, holdings: NodeHoldings(), now: 101)
        #expect(machine.drain.phase == .movingSockets)
        #expect(perform([.keepSockets]) == [])
    }
}
