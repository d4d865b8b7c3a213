// Who listens, added up from loops to nodes to the owner.

import HashRing
import Testing

@testable import RingpostCore

@Suite struct PresenceTallyTests {
    private func name(_ number: Int) -> [UInt8] { Array("u\(number)".utf8) }

    private func counts(_ report: PresenceReport) -> [String: UInt32] {
        Dictionary(uniqueKeysWithValues: report.listeners.map { (String(decoding: $0.user, as: UTF8.self), $0.count.sockets) })
    }

    @Test func aLoopSaysEverythingOnceThenWhatHasChanged() {
        var loop = ShardPresence()
        loop.open(name(1))
        loop.open(name(1))
        loop.open(nil)
        let first = loop.report()
        #expect(first.isWhole && first.others == 1 && counts(first) == ["u1": 2])
        #expect(!loop.hasNews)
        loop.open(name(2))
        loop.close(name(1), now: 0)
        let second = loop.report(wantsNews: true)
        #expect(!second.isWhole && second.wantsNews && counts(second) == ["u1": 1, "u2": 1])
        loop.close(name(1), now: 0)
        loop.close(nil, now: 0)
        let third = loop.report()
        #expect(third.others == 0 && counts(third) == ["u1": 0])
        loop.close(name(2), now: 0)
        #expect(loop.isEmpty && loop.hasNews)
        // One more than were opened.
        loop.close(name(2), now: 0)
        loop.close(nil, now: 0)
        #expect(loop.isEmpty)
    }

    @Test func aPollerIsThereUntilTheNextPollHasNotCome() {
        var loop = ShardPresence()
        loop.open(name(1))
        loop.close(name(1), lingersUntil: 100, now: 10)
        #expect(loop.report().listeners.map(\.count) == [PresenceCount(sockets: 0, lingers: true)])
        loop.expire(now: 99)
        #expect(!loop.hasNews && !loop.isEmpty)
        // The next poll, which is answered later.
        loop.open(name(1))
        loop.close(name(1), lingersUntil: 200, now: 50)
        loop.expire(now: 199)
        #expect(loop.report().listeners.map(\.count) == [PresenceCount(sockets: 0, lingers: true)])
        loop.expire(now: 200)
        #expect(loop.isEmpty && counts(loop.report()) == ["u1": 0])
        // A poll without a user is there while it waits.
        loop.open(nil)
        loop.close(nil, lingersUntil: 1_000, now: 300)
        #expect(loop.isEmpty)
    }

    @Test func aTallyAddsUpWithdrawsAndTakesEverythingTwice() {
        var loops = [ShardPresence(), ShardPresence()]
        loops[0].open(name(1))
        loops[1].open(name(1))
        loops[1].open(nil)
        var node = PresenceTally<Int>()
        let reports = [loops[0].report(), loops[1].report()]
        for index in [0, 1, 1, 0] { node.apply(reports[index], from: index) }
        #expect(node.subscribers == 3 && node.subscribers(on: 1) == 2)
        let told = node.report()
        #expect(told.isWhole && told.others == 1 && counts(told) == ["u1": 2])
        node.remove(1)
        #expect(node.subscribers == 1 && !node.isKnown(1))
        #expect(counts(node.report()) == ["u1": 1])
        node.beginAnew()
        #expect(node.report().isWhole)
        node.remove(0)
        #expect(node.isEmpty && node.subscribers == 0)
    }

    /// Between two polls on one node, and with a poll on another: one subscriber.
    @Test func aPollerWhoChangesNodesCountsOnce() {
        var node = PresenceTally<Int>()
        let lingers = PresenceReport.Listener(user: name(1), count: PresenceCount(sockets: 0, lingers: true))
        let polls = PresenceReport.Listener(user: name(1), count: PresenceCount(sockets: 1))
        node.apply(PresenceReport(isWhole: true, others: 0, listeners: [lingers]), from: 1)
        #expect(node.subscribers == 1)
        node.apply(PresenceReport(isWhole: true, others: 0, listeners: [polls]), from: 2)
        #expect(node.subscribers == 1 && node[name(1)] == PresenceCount(sockets: 1))
        node.remove(2)
        #expect(node[name(1)].isPresent)
    }

    @Test func beyondTheBoundUsersCountWithoutNames() {
        var loop = ShardPresence()
        let most = PresenceList.listedMax
        for number in 0..<most + 500 { loop.open(name(number)) }
        let report = loop.report()
        #expect(report.listeners.count == most && report.others == 500)
        var node = PresenceTally<Int>()
        node.apply(report, from: 0)
        #expect(node.subscribers == most + 500)
        // Where many go, others are named in their place.
        var listed = Set(report.listeners.map(\.user))
        for user in listed.prefix(most / 2) { loop.close(user, now: 0) }
        let later = loop.report()
        node.apply(later, from: 0)
        for listener in later.listeners {
            if listener.count.isPresent { listed.insert(listener.user) } else { listed.remove(listener.user) }
        }
        #expect(node.subscribers == most / 2 + 500 && listed.count + Int(later.others) == most / 2 + 500)
        #expect(listed.count > most / 2)
    }

    /// A tally never differs from what its sources hold, whatever came in which order.
    @Test(arguments: 1...20) func aTallyIsTheSumOfItsSources(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var loops = (0..<3).map { _ in ShardPresence() }
        var held = (0..<3).map { _ in [Int: Int]() }
        var node = PresenceTally<Int>()
        for _ in 0..<400 {
            let index = Int(random.next() % 3)
            let user = Int(random.next() % 6)
            switch random.next() % 5 {
            case 0, 1:
                loops[index].open(user == 0 ? nil : name(user))
                held[index][user, default: 0] += 1
            case 2:
                if held[index][user, default: 0] == 0 { continue }
                loops[index].close(user == 0 ? nil : name(user), now: 0)
                held[index][user, default: 0] -= 1
            case 3: node.apply(loops[index].report(), from: index)
            default:
                node.remove(index)
                // As a new fan, or after a new attachment: everything anew.
                var anew = ShardPresence()
                for (user, count) in held[index] { for _ in 0..<count { anew.open(user == 0 ? nil : name(user)) } }
                loops[index] = anew
                node.apply(loops[index].report(), from: index)
            }
        }
        for index in loops.indices { node.apply(loops[index].report(), from: index) }
        #expect(node.subscribers == held.reduce(0) { $0 + $1.values.reduce(0, +) })
        for user in 1..<6 { #expect(node[name(user)].sockets == UInt32(held.reduce(0) { $0 + $1[user, default: 0] })) }
    }
}
