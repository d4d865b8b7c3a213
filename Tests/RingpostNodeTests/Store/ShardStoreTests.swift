// What a shard hands to its store, and what it says before and after.
import NIOCore
import NIOEmbedded
import RingpostCore
import Synchronization
import Testing

@testable import RingpostNode

@Suite struct ShardStoreTests {
    /// Takes ticks, and says of them what a test wants.
    private final class Store: CopyStore {
        private struct State {
            var ticks: [(slots: [Int], then: @Sendable (StoreFailure?) -> Void)] = []
            var hasRoom = true
            var refused = 0
        }

        let durability = StoreDurability.fsync
        private let state = Mutex(State())

        func write(_ tick: StoreTick, then: @escaping @Sendable (StoreFailure?) -> Void) -> Bool {
            state.withLock { state in
                if !state.hasRoom {
                    state.refused += 1
                    return false
                }
                state.ticks.append((tick.slots.map(\.slot), then))
                return true
            }
        }
        func load(_: SlotLoad, then: @escaping @Sendable (Result<StoredSlot, StoreDamage>) -> Void) -> Bool { false }
        func read(_: HistoryLoad, then: @escaping @Sendable (Result<HistoryPart, StoreDamage>) -> Void) -> Bool { false }

        var count: Int { state.withLock { $0.ticks.count } }
        var refused: Int { state.withLock { $0.refused } }
        func setRoom(_ hasRoom: Bool) { state.withLock { $0.hasRoom = hasRoom } }
        /// All that was taken is there, or can't be written.
        func end(_ failure: StoreFailure? = nil) {
            let ticks = state.withLock { state in
                defer { state.ticks = [] }
                return state.ticks
            }
            for tick in ticks { tick.then(failure) }
        }
    }

    private let store = Store()
    private let node: EmbeddedNode

    init() throws {
        node = try EmbeddedNode(store: store)
        // All slots begin, a lot at a time: what a test writes is to be all that changes.
        node.eventLoop.advanceTime(by: .seconds(1))
        store.end()
        turn()
    }

    private func turn() { node.eventLoop.run() }

    private func publish(_ text: String) throws -> EmbeddedChannel {
        let channel = try node.apiConnection()
        try channel.arrive("POST /v1/users/alice/messages HTTP/1.1\r\nHost: x\r\nContent-Length: \(text.utf8.count)\r\n\r\n\(text)")
        return channel
    }

    @Test func aReceiptComesWhenTheStoreHasTheMessage() throws {
        let producer = try publish("hello")
        #expect(try producer.leaving() == "" && store.count == 1)
        store.end()
        #expect(try producer.leaving().hasPrefix("HTTP/1.1 200 "))
    }

    @Test func oneTurnIsOneTick() throws {
        let channel = try node.apiConnection()
        let request = "POST /v1/users/alice/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1"
        try channel.arrive(request + request)
        #expect(store.count == 1)
        store.end()
        #expect(try channel.leaving().components(separatedBy: "HTTP/1.1 200 ").count == 3)
    }

    @Test func whatTheStoreHasNoRoomForIsHandedOverLater() throws {
        store.setRoom(false)
        let producer = try publish("hello")
        node.eventLoop.advanceTime(by: ShardStore.retry)
        let refused = store.refused
        #expect(refused >= 2 && store.count == 0)
        node.eventLoop.advanceTime(by: ShardStore.retry)
        #expect(store.refused == refused + 1, "it is asked once each time")
        store.setRoom(true)
        node.eventLoop.advanceTime(by: ShardStore.retry)
        #expect(store.count > 0)
        store.end()
        #expect(try producer.leaving().hasPrefix("HTTP/1.1 200 "))
    }

    @Test func whatCanNotBeWrittenIsSaidToNobody() throws {
        let (first, second) = (try publish("1"), try publish("2"))
        store.end(StoreFailure("the disk is gone"))
        turn()
        #expect(try first.leaving() == "" && second.leaving() == "")
        let third = try publish("3")
        #expect(try third.leaving().contains(#""code":"overloaded""#), "that nothing was appended is no word of the store")
        #expect(store.count == 0)
    }

    // MARK: A slow disk

    private func tick(afterMilliseconds milliseconds: Int64) {
        node.shard.shell.store?.onTick(now: Moment.now().monotonic + milliseconds)
    }

    private var alarms: [StandingAlarm.Kind] { node.shard.context.standing.alarms.map(\.kind) }

    @Test func aSlowDiskIsAnAlarmUntilItIsOver() throws {
        let began = Moment.now().monotonic
        func ticks(from first: Int64 = 0, through last: Int64) {
            for now in stride(from: began + first, through: began + last, by: 500) { node.shard.shell.store?.onTick(now: now) }
        }
        let producer = try publish("hello")
        ticks(through: 500)
        #expect(alarms.isEmpty)
        ticks(from: 1_000, through: 15_000)
        #expect(alarms == [.storeSlow] && node.shard.context.alarms == 1, "it is said once")
        let page = try node.apiConnection()
        try page.arrive("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try page.leaving().contains(#"ringpost_alarm{kind="store_slow"} 1"#))
        store.end()
        #expect(try producer.leaving().hasPrefix("HTTP/1.1 200 "))
        ticks(from: 15_500, through: 16_000)
        #expect(alarms == [.storeSlow], "it may stall again")
        ticks(from: 16_500, through: 16_000 + DiskPace.calmMilliseconds)
        #expect(alarms.isEmpty && node.shard.context.alarms == 1)
    }

    /// A process that is stopped and goes on again, as a machine that is moved, says nothing of its disk.
    @Test func whoStoodStillDoesNotBlameTheDisk() throws {
        let began = Moment.now().monotonic
        let producer = try publish("hello")
        for now in [0, 500, 500 + 2 * StoreGate.waitMillisecondsMax] { node.shard.shell.store?.onTick(now: began + now) }
        #expect(alarms.isEmpty)
        store.end()
        #expect(try producer.leaving().hasPrefix("HTTP/1.1 200 "))
    }

    @Test func severalShardsThatWaitAreOneAlarm() throws {
        let context = node.shard.context
        context.setDisk(.isSlow, ofShard: 0)
        context.setDisk(.isSlow, ofShard: 1)
        #expect(alarms == [.storeSlow] && context.alarms == 1)
        context.setDisk(.isWell, ofShard: 0)
        #expect(alarms == [.storeSlow])
        context.setDisk(.isWell, ofShard: 1)
        #expect(alarms.isEmpty)
    }

    // MARK: What operators are shown

    private func look(_ path: String) throws -> EmbeddedChannel {
        let channel = try node.apiConnection()
        try channel.arrive("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
        return channel
    }

    @Test func aCursorIsShownWhenTheStoreHasIt() throws {
        _ = try publish("first")
        store.end()
        turn()
        _ = try publish("second")
        let looking = try look("/v1/users/alice")
        #expect(try looking.leaving() == "", "the second one is not there yet")
        // What comes meanwhile is not shown with it.
        _ = try publish("third")
        store.end()
        let shown = try looking.leaving()
        #expect(shown.contains(#""history":{"bytes":"#) && shown.contains(#""messages":2"#), "\(shown)")
        turn()
        store.end()
        turn()
        #expect(try look("/v1/users/alice").leaving().contains(#""messages":3"#))
    }

    @Test func whatIsNotThereInTimeIsLeftOut() throws {
        _ = try publish("hello")
        let looking = try look("/v1/users/alice")
        tick(afterMilliseconds: ShardStore.questionMillisecondsMax + 100)
        let shown = try looking.leaving()
        #expect(shown.hasPrefix("HTTP/1.1 200 ") && shown.contains(#""user":"alice""#) && !shown.contains(#""cursor":""#), "\(shown)")
        let channel = try node.apiConnection()
        try channel.arrive("POST /v1/channels/news/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n1")
        let listening = try look("/v1/channels/news")
        #expect(try listening.leaving() == "")
        store.end(StoreFailure("the disk is gone"))
        turn()
        #expect(try listening.leaving().contains(#""channel":"news""#), "whoever waits for a store that has failed is answered")
    }
}
