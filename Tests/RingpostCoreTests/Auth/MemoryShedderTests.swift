// Who goes when memory runs short, in which order, and who never does.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct MemoryShedderTests {
    private static let mebibyte = 1_024 * 1_024
    private static let most = 160 * mebibyte
    /// From here on it is short.
    private static let short = most / 8 * 7

    private static func shedder(shards: Int = 1, resident: Int) -> MemoryShedder {
        var shedder = MemoryShedder(bytesMax: most, shardCount: shards)
        shedder.onResident(resident, now: 0)
        return shedder
    }

    private static func claim(_ connection: Int, _ bytes: Int, _ owner: ByteOwner? = nil) -> MemoryClaim {
        MemoryClaim(connection: connection, owner: owner, bytes: bytes)
    }

    @Test func nobodyGoesWhereThereIsRoom() {
        var shedder = Self.shedder(resident: Self.short)
        #expect(!shedder.isShort && shedder.plan([Self.claim(0, 50 * Self.mebibyte)], ofShard: 0, now: 0) == .init())
    }

    @Test func theHeaviestGoFirstAndNoMoreThanNeeded() {
        var shedder = Self.shedder(resident: Self.short + 5 * Self.mebibyte)
        let claims = [
            Self.claim(0, Self.mebibyte), Self.claim(1, 4 * Self.mebibyte), Self.claim(2, 100_000), Self.claim(3, 3 * Self.mebibyte),
        ]
        #expect(shedder.isShort && shedder.plan(claims, ofShard: 0, now: 0).endings == [1, 3])
        // It still shows, but is as good as gone; later it is not.
        #expect(shedder.plan([claims[0], claims[2]], ofShard: 0, now: 1_000).endings == [])
        shedder.onResident(Self.short + 5 * Self.mebibyte, now: MemoryShedder.settleMilliseconds)
        #expect(shedder.plan([claims[0], claims[2]], ofShard: 0, now: MemoryShedder.settleMilliseconds).endings == [0])
    }

    @Test func whoHoldsLittleStays() {
        var shedder = Self.shedder(resident: 2 * Self.most)
        let claims = (0..<100).map { Self.claim($0, MemoryShedder.heavyBytesMin - 1, $0 % 2 == 0 ? nil : .key("\($0)")) }
        #expect(shedder.plan(claims, ofShard: 0, now: 0).endings == [])
    }

    @Test func manyConnectionsOfOneOwnerGoTogether() {
        var shedder = Self.shedder(resident: 2 * Self.most)
        let claims =
            (0..<20).map { Self.claim($0, 100_000, .key("many")) } + (20..<25).map { Self.claim($0, 200_000, .key("few")) }
            + (25..<35).map { Self.claim($0, 200_000, .key("most")) } + [Self.claim(35, 300_000, .key("few"))]
        // The heavy one of those that stand for themselves, then by what their owners hold; "few" holds more than is little with it.
        let endings = shedder.plan(claims, ofShard: 0, now: 0).endings
        #expect(endings == [35] + Array(25..<35) + Array(0..<20) + Array(20..<25))
    }

    @Test func allEventLoopsAreLookedAtTogether() {
        var shedder = Self.shedder(shards: 2, resident: Self.short + 3 * Self.mebibyte)
        let (light, heavy) = ([Self.claim(7, Self.mebibyte)], [Self.claim(9, 4 * Self.mebibyte)])
        #expect(shedder.plan(light, ofShard: 0, now: 0) == .init(), "the other one has not said anything")
        #expect(shedder.plan(heavy, ofShard: 1, now: 10).endings == [9])
        #expect(shedder.plan(light, ofShard: 0, now: 1_000).endings == [], "the other one has given enough")
        // One that hangs is not waited for.
        var other = Self.shedder(shards: 2, resident: Self.short + 3 * Self.mebibyte)
        #expect(other.plan(light, ofShard: 0, now: MemoryShedder.collectMilliseconds - 1) == .init())
        #expect(other.plan(light, ofShard: 0, now: MemoryShedder.collectMilliseconds).endings == [7])
    }

    @Test func soManyGoAtATime() {
        var shedder = Self.shedder(resident: 100 * Self.most)
        let claims = (0..<MemoryShedder.claimsMax + 10).map { Self.claim($0, Self.mebibyte + $0) }
        let endings = shedder.plan(claims, ofShard: 0, now: 0).endings
        #expect(endings == (0..<MemoryShedder.endingsMax).map { claims.count - 1 - $0 })
        #expect(shedder.plan([], ofShard: 0, now: 0).historyBytes == MemoryShedder.historyBytesMax)
    }

    @Test func historiesGoLast() {
        // Connections are enough.
        var shedder = Self.shedder(resident: Self.most)
        #expect(shedder.plan([Self.claim(0, 20 * Self.mebibyte)], ofShard: 0, now: 0) == .init(endings: [0], historyBytes: 0))
        // They are not, but it isn't that short.
        shedder = Self.shedder(resident: Self.short + 2 * Self.mebibyte)
        #expect(shedder.plan([Self.claim(0, Self.mebibyte)], ofShard: 0, now: 0) == .init(endings: [0], historyBytes: 0))
        // It is; each loop gives its part.
        shedder = Self.shedder(shards: 2, resident: Self.most)
        _ = shedder.plan([], ofShard: 0, now: 0)
        let plan = shedder.plan([Self.claim(0, 4 * Self.mebibyte)], ofShard: 1, now: 0)
        #expect(plan.endings == [0] && plan.historyBytes == 8 * Self.mebibyte + 1)
        shedder.onFreed(16 * Self.mebibyte, now: 0)
        #expect(shedder.plan([], ofShard: 0, now: 1_000) == .init())
    }
}
