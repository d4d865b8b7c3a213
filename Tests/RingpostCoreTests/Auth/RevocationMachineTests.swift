// When the revocations are read, told and cleared away.

import HashRing
import Testing

@testable import RingpostCore

@Suite struct RevocationMachineTests {
    private let a = Revocation(user: KeyHash(rawValue: 1), issuedBefore: 100, until: 2_000)
    private let b = Revocation(user: KeyHash(rawValue: 2), issuedBefore: 100, until: 9_000)

    /// Connected at 0, with this list read at 1.
    private func resting(_ revocations: Revocation...) -> RevocationMachine {
        var machine = RevocationMachine()
        #expect(!machine.isConnected && !machine.hasList && machine.nextWake == nil)
        #expect(machine.onConnected(now: 0) == [.read(ticket: 1)])
        #expect(machine.isConnected && !machine.hasList && machine.nextWake == nil)
        #expect(
            machine.onAnswer(1, .names(revocations.map(\.name)), now: 1, seconds: 1_000) == [.publish(RevocationList(revocations))])
        #expect(machine.hasList && machine.nextWake == 30_001)
        return machine
    }

    @Test func theFirstListIsToldThoughItIsEmpty() { _ = resting() }

    @Test func aChangeIsReadAtOnceAndManyAreReadOnce() {
        var machine = resting()
        #expect(machine.onChange(now: 500) == [.read(ticket: 2)])
        #expect(machine.onChange(now: 501) == [], "while it is read")
        #expect(machine.onAnswer(2, .names([a.name]), now: 502, seconds: 1_000) == [.publish(RevocationList([a]))])
        #expect(machine.nextWake == 602, "there was another change")
        #expect(machine.onChange(now: 503) == [] && machine.nextWake == 600)
        #expect(machine.onTick(now: 599) == [])
        #expect(machine.onTick(now: 600) == [.read(ticket: 3)])
        #expect(machine.onAnswer(3, .names([a.name]), now: 601, seconds: 1_000) == [], "nothing new")
        #expect(machine.nextWake == 30_601)
        #expect(machine.onTick(now: 30_601) == [.read(ticket: 4)], "a watch can get lost")
    }

    @Test func theLastListStaysInForceWithoutZooKeeper() {
        var machine = resting(a)
        machine.onDisconnected()
        #expect(machine.nextWake == nil && machine.list == RevocationList([a]) && !machine.isConnected)
        #expect(machine.onChange(now: 50) == [])
        #expect(machine.onConnected(now: 60) == [.read(ticket: 2)])
        machine.onDisconnected()
        #expect(machine.onAnswer(2, .names([]), now: 61, seconds: 1_000) == [], "of a connection that has gone")
        #expect(machine.onConnected(now: 70) == [.read(ticket: 3)])
        #expect(machine.onAnswer(2, .names([]), now: 71, seconds: 1_000) == [])
        #expect(machine.onAnswer(3, .names([a.name, b.name]), now: 72, seconds: 1_000) == [.publish(RevocationList([a, b]))])
    }

    @Test func aReadingThatFailsIsRepeated() {
        var machine = resting(a)
        var now: Int64 = 1_000
        var pauses: [Int64] = []
        var warnings = 0
        var actions = machine.onChange(now: now)
        for ticket in 2...12 as ClosedRange<UInt64> {
            #expect(actions == [.read(ticket: ticket)])
            for action in machine.onAnswer(ticket, .failed("no"), now: now, seconds: 1_000) {
                guard case .warn(let sentence) = action else { continue }
                warnings += 1
                #expect(sentence == "the revocations can't be read; the last list of 1 stays in force: no")
            }
            guard let wake = machine.nextWake else { break }
            pauses.append(wake - now)
            now = wake
            #expect(machine.onChange(now: now) == [], "the next reading sees it")
            actions = machine.onTick(now: now)
        }
        #expect(pauses == [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000, 1_000, 1_000] && warnings == 1)
        #expect(machine.list == RevocationList([a]))
        #expect(machine.onAnswer(13, .names([]), now: now, seconds: 1_000) == [.publish(RevocationList())])
    }

    @Test func garbageIsIgnoredAndToldOnce() {
        var machine = resting()
        let warning = RevocationMachine.Action.warn(#"1 names among the revocations are none and are ignored: "a\nb""#)
        #expect(machine.onChange(now: 500) == [.read(ticket: 2)])
        #expect(
            machine.onAnswer(2, .names(["a\nb", a.name]), now: 501, seconds: 1_000) == [warning, .publish(RevocationList([a]))])
        #expect(machine.onChange(now: 1_000) == [.read(ticket: 3)])
        #expect(machine.onAnswer(3, .names([a.name, "a\nb"]), now: 1_001, seconds: 1_000) == [])
        #expect(machine.onChange(now: 2_000) == [.read(ticket: 4)])
        let many = (0..<20).map { "x\($0)" }
        guard case .warn(let sentence) = machine.onAnswer(4, .names(many + [a.name]), now: 2_001, seconds: 1_000).first else {
            Issue.record("no warning")
            return
        }
        #expect(sentence.hasPrefix("20 names") && sentence.count { $0 == "," } == 7)
    }

    @Test func whatHasExpiredIsDeletedAFewAtATime() {
        let old = (0..<100).map { Revocation(user: KeyHash(rawValue: UInt64($0)), issuedBefore: 1, until: 500) }
        let names = old.map(\.name) + [a.name]
        var machine = resting(a)
        #expect(machine.onChange(now: 500) == [.read(ticket: 2)])
        let actions = machine.onAnswer(2, .names(names), now: 501, seconds: 1_000)
        guard actions.count == 1, case .delete(let first) = actions[0] else {
            Issue.record("\(actions)")
            return
        }
        #expect(first.count == 64 && Set(first).isSubset(of: old))
        #expect(machine.list == RevocationList([a]))
        // Their going is a change, but no occasion to delete more.
        let rest = names.filter { name in !first.contains { $0.name == name } }
        #expect(machine.onChange(now: 700) == [.read(ticket: 3)])
        #expect(machine.onAnswer(3, .names(rest), now: 701, seconds: 1_000) == [])
        #expect(machine.nextWake == 1_701 && machine.onTick(now: 1_701) == [.read(ticket: 4)])
        guard case .delete(let second) = machine.onAnswer(4, .names(rest), now: 1_702, seconds: 1_000).first else {
            Issue.record("nothing more is deleted")
            return
        }
        #expect(second.count == 36)
        #expect(machine.onChange(now: 2_900) == [.read(ticket: 5)])
        #expect(machine.onAnswer(5, .names([a.name]), now: 2_901, seconds: 1_000) == [] && machine.nextWake == 32_901)
    }

    @Test func whatThisNodeHasMadeHoldsAtOnce() {
        var machine = resting(a)
        #expect(machine.onMade(b, now: 500) == [.publish(RevocationList([a, b]))])
        // What was being read then may lack it.
        #expect(machine.onChange(now: 600) == [.read(ticket: 2)])
        let c = Revocation(user: KeyHash(rawValue: 3), token: 4, until: 2_000)
        #expect(machine.onMade(c, now: 601) == [.publish(RevocationList([a, b, c])), .read(ticket: 3)])
        #expect(machine.onAnswer(2, .names([a.name, b.name]), now: 602, seconds: 1_000) == [])
        #expect(machine.list == RevocationList([a, b, c]))
        #expect(machine.onAnswer(3, .names([a.name, b.name, c.name]), now: 603, seconds: 1_000) == [])
    }

    @Test func aFullListTakesNoMore() {
        let many = (0..<RevocationList.countMax).map { Revocation(user: KeyHash(rawValue: UInt64($0) + 10), issuedBefore: 1, until: 2_000) }
        var machine = resting()
        for revocation in many.dropLast() { _ = machine.onMade(revocation, now: 1) }
        #expect(Self.refusal(machine, a) == nil)
        _ = machine.onMade(many[many.count - 1], now: 1)
        #expect(Self.refusal(machine, a) == .full && Self.refusal(machine, many[0]) == nil, "again is the same as once")
    }

    private static func refusal(_ machine: RevocationMachine, _ revocation: Revocation) -> RevocationFailure? {
        do throws(RevocationFailure) {
            try machine.checkRoom(for: revocation)
            return nil
        } catch { return error }
    }

    private static func made(_ number: Int, by maker: UInt64?) -> Revocation {
        Revocation(user: KeyHash(rawValue: UInt64(number) + 10), issuedBefore: 1, until: 2_000, maker: maker)
    }

    @Test func whoIsLimitedToNamesLeavesRoomForOthers() {
        var machine = resting()
        for number in 0..<RevocationList.madeByOneMax { _ = machine.onMade(Self.made(number, by: 1), now: 1) }
        let next = RevocationList.madeByOneMax
        #expect(Self.refusal(machine, Self.made(next, by: 1)) == .keyFull)
        #expect(Self.refusal(machine, Self.made(0, by: 1)) == nil, "again is the same as once")
        #expect(Self.refusal(machine, Self.made(next, by: 2)) == nil && Self.refusal(machine, Self.made(next, by: nil)) == nil)
        // Many of them together leave the last places too.
        for number in next..<RevocationList.countMax - RevocationList.keptMax {
            _ = machine.onMade(Self.made(number, by: UInt64(number / 900) + 2), now: 1)
        }
        #expect(Self.refusal(machine, Self.made(20_000, by: 99)) == .full && Self.refusal(machine, Self.made(20_000, by: nil)) == nil)
    }

    @Test func whatWasRevokedBeforeARestartIsInTheFirstList() {
        var machine = RevocationMachine()
        machine.restore([a, b])
        #expect(machine.onTidied(seconds: 0) == [.publish(RevocationList([a, b]))])
    }

    @Test func withoutZooKeeperTimeAloneMakesRoom() {
        var machine = RevocationMachine()
        #expect(machine.onTidied(seconds: 0) == [.publish(RevocationList())])
        #expect(machine.onTidied(seconds: 0) == [])
        #expect(machine.onMade(a, now: 1) == [.publish(RevocationList([a]))])
        #expect(machine.onMade(b, now: 1) == [.publish(RevocationList([a, b]))])
        #expect(machine.onTidied(seconds: 2_301) == [.publish(RevocationList([b]))])
    }
}
