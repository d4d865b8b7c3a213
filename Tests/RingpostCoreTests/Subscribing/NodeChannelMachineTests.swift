// A channel at a node as transcripts: in turn behind the node's own attachment, and what the owner hears of who listens.

import HashRing
import Testing

@testable import RingpostCore

@Suite struct NodeChannelMachineTests {
    private static let first = ReturnAddress(connectionID: 0, id: 1)
    private static let second = ReturnAddress(connectionID: 0, id: 2)

    private func request(_ id: UInt64) throws -> AttachRequest {
        let seed = try #require(SipKey(bytes: [UInt8](repeating: 7, count: 16)))
        let key = try Key(.channel, name: Array("news".utf8), hasher: KeyHasher(seed: seed))
        return AttachRequest(key: key, address: ReturnAddress(connectionID: 0, id: id), start: .now, stay: .never)
    }

    private func report(_ users: [String], isWhole: Bool = true, wantsNews: Bool = false, wantsList: Bool = false) -> PresenceReport {
        let listeners = users.map { PresenceReport.Listener(user: Array($0.utf8), count: PresenceCount(sockets: 1)) }
        return PresenceReport(isWhole: isWhole, wantsNews: wantsNews, wantsList: wantsList, others: 0, listeners: listeners)
    }

    @Test func questionsWaitForTheNodesOwnAttachment() throws {
        var machine = NodeChannelMachine()
        #expect(machine.ask(try request(3), isLive: false) == .later)
        #expect(machine.ask(try request(1), isLive: false) == .later)
        #expect(machine.ask(try request(2), isLive: false) == .later)
        machine.forget(ReturnAddress(connectionID: 0, id: 2))
        #expect(machine.takeQuestions().map(\.address.id) == [1, 3])
        #expect(machine.takeQuestions() == [])
        #expect(machine.ask(try request(4), isLive: true) == .now)
    }

    @Test func tooManyQuestionsAreRefused() throws {
        var machine = NodeChannelMachine()
        let one = try request(0)
        for id in 0..<UInt64(NodeChannelMachine.questionsMax) {
            let request = AttachRequest(key: one.key, address: ReturnAddress(connectionID: 0, id: id), start: .now, stay: .never)
            guard machine.ask(request, isLive: false) == .later else {
                Issue.record("question \(id) is refused")
                return
            }
        }
        #expect(machine.ask(try request(.max), isLive: false) == .never)
    }

    @Test func anAttachmentOutlivesItsLastSubscriptionByFiveSeconds() {
        var machine = NodeChannelMachine()
        #expect(!machine.isOver(now: 100_000), "its first shard is on its way")
        machine.addShard(1)
        machine.addShard(2)
        machine.removeShard(1, now: 10)
        #expect(!machine.isOver(now: 100_000))
        machine.removeShard(2, now: 20)
        #expect(!machine.isOver(now: 5_019))
        #expect(machine.isOver(now: 5_020))
        machine.addShard(2)
        #expect(!machine.isOver(now: 5_020))
    }

    @Test func aNewOwnerIsToldEverything() {
        var machine = NodeChannelMachine()
        #expect(machine.onReport(report(["a"]), from: 1) == false, "a shard that does not subscribe")
        machine.addShard(1)
        #expect(machine.onReport(report(["a"], isWhole: false), from: 1) == false, "it has not said everything")
        #expect(machine.onReport(report(["a"]), from: 1) == true)
        #expect(machine.isReported(under: Self.first) == false)
        #expect(machine.report(under: Self.first) == report(["a"]))
        #expect(machine.isReported(under: Self.first) == true)
        #expect(machine.report(under: Self.first) == nil)
        #expect(machine.onReport(report(["b"], isWhole: false), from: 1) == true)
        #expect(machine.report(under: Self.first) == report(["b"], isWhole: false))
        #expect(machine.report(under: Self.second) == report(["a", "b"]))
    }

    @Test func theOwnerHearsWhoWantsNews() {
        var machine = NodeChannelMachine()
        machine.addShard(1)
        #expect(machine.onReport(report([], wantsNews: true, wantsList: true), from: 1) == true)
        #expect(machine.watching == [1])
        #expect(machine.report(under: Self.first) == report([], wantsNews: true, wantsList: true))
        #expect(machine.report(under: Self.first) == nil)
        machine.removeShard(1, now: 0)
        #expect(machine.report(under: Self.first) == report([], isWhole: false))
    }
}

@Suite struct LocalChannelMachineTests {
    private static let (a, b) = (Array("a".utf8), Array("b".utf8))

    private func news(_ joined: [[UInt8]], left: [[UInt8]] = [], isWhole: Bool = false) -> PresenceNews {
        PresenceNews(isWhole: isWhole, subscribers: 1, joined: joined, left: left)
    }

    @Test func whoWatchesIsToldWhoIsThereAndThenWhatChanges() {
        var machine = LocalChannelMachine()
        #expect(machine.onNews(news([Self.a])) == [], "nobody wants to hear it")
        machine.open(Self.a)
        machine.watch()
        let first = machine.onTick(now: 0)
        #expect(first.tellsEverybody == false, "the owner has said nothing yet")
        #expect(first.report?.wantsNews == true)
        #expect(first.report?.wantsList == true)
        #expect(machine.onNews(news([Self.a], isWhole: true)) == [.everybody])
        #expect(machine.onNews(news([Self.b], left: [Self.a])) == [.left([Self.a]), .joined([Self.b])])
        machine.open(Self.b)
        machine.watch()
        let second = machine.onTick(now: 50)
        #expect(second.tellsEverybody, "to the second one")
        #expect(second.report?.wantsList == false, "this shard knows who is there")
        #expect(machine.onTick(now: 100).report == nil)
    }

    @Test func theLastWatcherTakesTheListAlong() {
        var machine = LocalChannelMachine()
        machine.open(Self.a)
        machine.watch()
        _ = machine.onTick(now: 0)
        #expect(machine.onNews(news([Self.a], isWhole: true)) == [.everybody])
        machine.open(Self.b)
        machine.close(Self.a, lingersUntil: nil, isWatching: true, now: 10)
        #expect(!machine.isWatched)
        #expect(!machine.board.hasBegun)
        #expect(machine.onTick(now: 50).report?.wantsNews == false)
        #expect(machine.onNews(news([Self.a])) == [])
    }

    @Test func aPollerIsThereUntilTheNextPollHasNotCome() {
        var machine = LocalChannelMachine()
        machine.open(Self.a)
        _ = machine.onTick(now: 0)
        machine.close(Self.a, lingersUntil: 1_000, isWatching: false, now: 10)
        #expect(machine.lingeringCount == 1)
        #expect(machine.onTick(now: 999).report?.listeners.map(\.count) == [PresenceCount(lingers: true)])
        #expect(!machine.isEmpty)
        #expect(machine.onTick(now: 1_000).report?.listeners.map(\.count) == [PresenceCount()])
        #expect(machine.isEmpty)
    }
}
