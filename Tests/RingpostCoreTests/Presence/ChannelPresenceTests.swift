// What a channel's owner tells of who comes and goes, and when.

import Testing

@testable import RingpostCore

@Suite struct ChannelPresenceTests {
    private let one = ReturnAddress(connectionID: 1, id: 1)
    private let two = ReturnAddress(connectionID: 2, id: 2)
    private let linger = ChannelPresence.lingerMilliseconds

    private func report(_ users: [String: UInt32], isWhole: Bool = true, watches: Bool = true, list: Bool = false) -> PresenceReport {
        PresenceReport(
            isWhole: isWhole, wantsNews: watches, wantsList: list, others: 0,
            listeners: users.sorted { $0.key < $1.key }.map { .init(user: Array($0.key.utf8), count: PresenceCount(sockets: $0.value)) })
    }

    private func names(_ users: [[UInt8]]) -> [String] { users.map { String(decoding: $0, as: UTF8.self) } }

    /// What the board of a node that watches makes of it.
    private func hear(_ presence: inout ChannelPresence, _ address: ReturnAddress, _ board: inout PresenceBoard, now: Int64) -> [String] {
        var heard: [String] = []
        for (target, news) in presence.onTick(now: now) where target == address {
            let (joined, left) = board.apply(news)
            heard += names(left).map { "-\($0)" } + names(joined).map { "+\($0)" }
        }
        return heard
    }

    @Test func whoComesIsToldAtOnceWhoGoesAfterAWhile() {
        var presence = ChannelPresence(now: 0)
        var board = PresenceBoard()
        presence.apply(report(["a": 1], list: true), from: one, node: "n1", now: 0)
        #expect(hear(&presence, one, &board, now: 0) == ["+a"])
        presence.apply(report(["b": 2], watches: false), from: two, node: "n2", now: 100)
        #expect(hear(&presence, one, &board, now: 100) == ["+b"])
        #expect(presence.summary.nodes == ["n1": 1, "n2": 2] && presence.summary.subscribers == 3)
        presence.apply(report(["b": 0], isWhole: false, watches: false), from: two, node: "n2", now: 10_000)
        #expect(hear(&presence, one, &board, now: 10_000 + linger - 1) == [])
        #expect(presence.summary.users.map(\.sockets) == [1, 0])
        #expect(hear(&presence, one, &board, now: 10_000 + linger) == ["-b"])
        #expect(presence.summary.users.map { names([$0.user]) } == [["a"]])
        #expect(names(board.everybody) == ["a"] && board.subscribers == 1)
    }

    @Test func whoIsBackInTimeWasNeverAway() {
        var presence = ChannelPresence(now: 0)
        var board = PresenceBoard()
        presence.apply(report(["a": 1, "b": 1], list: true), from: one, node: "n1", now: 0)
        _ = hear(&presence, one, &board, now: linger)
        // From one node to another, twice, and the node itself attaches anew.
        presence.apply(report(["b": 0], isWhole: false), from: one, node: "n1", now: 20_000)
        presence.apply(report(["b": 1], watches: false), from: two, node: "n2", now: 20_000 + linger - 1)
        presence.remove(two, now: 30_000)
        presence.apply(report(["b": 1], isWhole: false), from: one, node: "n1", now: 30_001)
        presence.remove(one, now: 40_000)
        presence.apply(report(["a": 1, "b": 1], list: true), from: one, node: "n1", now: 40_100)
        for now in stride(from: Int64(40_200), to: 60_000, by: 500) { #expect(hear(&presence, one, &board, now: now) == []) }
        presence.remove(one, now: 60_000)
        #expect(presence.onTick(now: 60_000 + linger).isEmpty, "nobody is left to be told")
        #expect(presence.isOver)
    }

    /// A new owner hears of the nodes one after the other; who was there before is there still.
    @Test func aNewOwnerTakesNobodysLeaveBeforeAllHaveReported() {
        var board = PresenceBoard()
        _ = board.apply(PresenceNews(isWhole: true, subscribers: 3, joined: [Array("a".utf8), Array("b".utf8), Array("c".utf8)]))
        var presence = ChannelPresence(now: 1_000)
        presence.apply(report(["a": 1], list: true), from: one, node: "n1", now: 1_100)
        #expect(!presence.summary.isComplete)
        #expect(hear(&presence, one, &board, now: 1_150) == [])
        presence.apply(report(["b": 1, "d": 1], watches: false), from: two, node: "n2", now: 3_000)
        #expect(hear(&presence, one, &board, now: 3_050) == ["+d"])
        #expect(hear(&presence, one, &board, now: 1_000 + linger - 1) == [])
        // Who did not come again has left; it was before this owner's time.
        #expect(hear(&presence, one, &board, now: 1_000 + linger) == ["-c"])
        #expect(presence.summary.isComplete)
    }

    @Test func whatIsNotWholeIsTakenOnlyFromWhoIsKnown() {
        var presence = ChannelPresence(now: 0)
        presence.apply(report(["a": 1], isWhole: false), from: one, node: "n1", now: 0)
        #expect(presence.isOver)
        presence.apply(report(["a": 1]), from: one, node: "n1", now: 0)
        presence.apply(report(["b": 1]), from: two, node: "n2", now: 0)
        #expect(presence.removeAll(connectionID: 1, now: 0) && !presence.removeAll(connectionID: 1, now: 0))
        #expect(presence.summary.nodes == ["n2": 1])
        presence.apply(report(["a": 1], isWhole: false), from: one, node: "n1", now: 0)
        #expect(presence.summary.nodes == ["n2": 1])
    }

    /// One report may change more than it is shorter to name one by one: who is not named any more has gone all the same.
    @Test func aCrowdThatGoesAtOnceIsGone() {
        var presence = ChannelPresence(now: 0)
        var board = PresenceBoard()
        func crowd(_ letter: String) -> [String: UInt32] {
            Dictionary(uniqueKeysWithValues: (0..<PresenceList.listedMax + 200).map { ("\(letter)\($0)", 1) })
        }
        presence.apply(report(crowd("a"), list: true), from: one, node: "n1", now: 0)
        _ = hear(&presence, one, &board, now: 2 * linger)
        presence.apply(report(crowd("b"), list: true), from: one, node: "n1", now: 2 * linger)
        _ = hear(&presence, one, &board, now: 3 * linger)
        _ = hear(&presence, one, &board, now: 4 * linger)
        #expect(names(board.everybody).allSatisfy { $0.hasPrefix("b") } && board.everybody.count == PresenceList.listedMax)
        #expect(presence.summary.users.count == PresenceList.listedMax && presence.summary.subscribers == PresenceList.listedMax + 200)
    }

    /// However many come and go, what is kept and what is said in one piece stays bounded.
    @Test func aCrowdThatComesAndGoesStaysBounded() {
        var presence = ChannelPresence(now: 0)
        var board = PresenceBoard()
        presence.apply(report([:], list: true), from: one, node: "n1", now: 0)
        var loop = ShardPresence()
        _ = loop.report()
        for round in 0..<20 {
            for number in 0..<900 { loop.open(Array("\(round)-\(number)".utf8)) }
            presence.apply(loop.report(wantsNews: true), from: one, node: "n1", now: Int64(round))
            for number in 0..<900 { loop.close(Array("\(round)-\(number)".utf8), now: 0) }
            presence.apply(loop.report(wantsNews: true), from: one, node: "n1", now: Int64(round))
            for (_, news) in presence.onTick(now: Int64(round)) {
                #expect(news.joined.count + news.left.count <= 3 * PresenceList.listedMax)
                _ = board.apply(news)
            }
            #expect(presence.summary.users.count <= PresenceList.listedMax)
        }
        for (_, news) in presence.onTick(now: 2 * linger) { _ = board.apply(news) }
        #expect(board.everybody.isEmpty && board.subscribers == 0)
    }
}
