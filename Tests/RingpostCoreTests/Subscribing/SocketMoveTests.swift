// Which sockets of a leaving node are asked to go at which time, and what they are told.
import Testing

@testable import RingpostCore

@Suite struct SocketMoveTests {
    @Test func aFewGoOneByOne() {
        var move = SocketMove(count: 3, now: 1_000, milliseconds: 30_000, elsewhere: [])
        #expect(move.onTick(now: 1_000) == 0..<1, "the first one at once")
        #expect(move.onTick(now: 1_050) == 1..<1)
        #expect(move.onTick(now: 10_999) == 1..<1)
        #expect(move.onTick(now: 11_000) == 1..<2)
        #expect(!move.isDone)
        #expect(move.onTick(now: 21_000) == 2..<3)
        #expect(move.isDone)
        #expect(move.onTick(now: 60_000) == 3..<3)
    }

    @Test func manyGoInEvenBatches() {
        let count = 10_000
        var move = SocketMove(count: count, now: 0, milliseconds: 30_000, elsewhere: [])
        var asked = 0
        for now in stride(from: Int64(0), to: 30_000, by: 50) {
            let batch = move.onTick(now: now)
            #expect(batch.lowerBound == asked, "in order, none twice and none left out")
            asked = batch.upperBound
            #expect(now == 0 ? batch.count == 1 : (16...17).contains(batch.count), "\(batch.count) at \(now)")
        }
        #expect(move.onTick(now: 30_000).upperBound == count)
        #expect(move.isDone)
    }

    @Test func ticksThatAreLateAreMadeUpFor() {
        var move = SocketMove(count: 100, now: 0, milliseconds: 1_000, elsewhere: [])
        #expect(move.onTick(now: 0) == 0..<1)
        #expect(move.onTick(now: 500) == 1..<51)
        #expect(move.onTick(now: 400) == 51..<51, "a clock that steps back moves nobody")
        #expect(move.onTick(now: 2_000) == 51..<100)
    }

    @Test func withoutTimeAllGoAtOnce() {
        var move = SocketMove(count: 5, now: 7, milliseconds: 0, elsewhere: [])
        #expect(move.onTick(now: 7) == 0..<5)
        var empty = SocketMove(count: 0, now: 7, milliseconds: 100, elsewhere: [])
        #expect(empty.isDone)
        #expect(empty.onTick(now: 7) == 0..<0)
    }

    @Test func theOtherNodesTakeTurns() {
        let move = SocketMove(count: 4, now: 0, milliseconds: 1_000, elsewhere: ["b:1", "c:1"])
        #expect((0..<4).map { move.disconnect($0, in: $0..<$0 + 1).at } == [["b:1"], ["c:1"], ["b:1"], ["c:1"]])
        let alone = SocketMove(count: 1, now: 0, milliseconds: 0, elsewhere: [])
        #expect(alone.disconnect(0, in: 0..<1) == Disconnect(.goingAway, afterMilliseconds: 100))
    }

    @Test func whoGoesTogetherDoesNotComeBackTogether() {
        let move = SocketMove(count: 100_000, now: 0, milliseconds: 0, elsewhere: [])
        func waits(_ batch: Range<Int>) -> [Int] { batch.map { move.disconnect($0, in: batch).afterMilliseconds ?? 0 } }
        // Within the time until the next batch …
        #expect(waits(10..<15) == [100, 110, 120, 130, 140])
        // … and many of them over the time that taking them in needs, within bounds.
        let many = waits(0..<10_000)
        #expect(many == many.sorted())
        #expect(many.first == 100)
        #expect(many.last == 2_099)
        #expect((waits(0..<100_000).max() ?? 0) < SocketMove.afterMillisecondsMax)
    }
}
