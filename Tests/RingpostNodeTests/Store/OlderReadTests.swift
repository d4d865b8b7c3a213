// A request for messages that memory does not have, on a node: what its event loop asks of the store, and what it does meanwhile.
import NIOCore
import NIOEmbedded
import RingpostCore
import Synchronization
import Testing

@testable import RingpostNode

@Suite struct OlderReadTests {
    /// Keeps nothing; remembers what was asked of it.
    private final class Store: CopyStore {
        typealias Answer = @Sendable (Result<HistoryPart, StoreDamage>) -> Void

        private struct State {
            var ticks: [@Sendable (StoreFailure?) -> Void] = []
            var reads: [(load: HistoryLoad, then: Answer)] = []
            var hasRoom = true
        }

        let durability = StoreDurability.fsync
        private let state = Mutex(State())

        func write(_: StoreTick, then: @escaping @Sendable (StoreFailure?) -> Void) -> Bool {
            state.withLock { state in
                state.ticks.append(then)
            }
            return true
        }
        func load(_: SlotLoad, then: @escaping @Sendable (Result<StoredSlot, StoreDamage>) -> Void) -> Bool { false }
        func read(_ load: HistoryLoad, then: @escaping Answer) -> Bool {
            state.withLock { state in
                if state.hasRoom { state.reads.append((load, then)) }
                return state.hasRoom
            }
        }

        func setRoom(_ hasRoom: Bool) { state.withLock { $0.hasRoom = hasRoom } }
        var asked: [HistoryLoad] { state.withLock { $0.reads.map(\.load) } }
        func answer(_ part: HistoryPart) {
            for read in state.withLock({ $0.reads }) { read.then(.success(part)) }
        }
        /// All that was handed over is there.
        func end() {
            let ticks = state.withLock { state in
                defer { state.ticks = [] }
                return state.ticks
            }
            for tick in ticks { tick(nil) }
        }
    }

    private let store = Store()
    private let node: EmbeddedNode

    init() throws {
        node = try EmbeddedNode(store: store) { $0.limits.mailbox.memoryMessagesMax = 2 }
        turn()
        store.end()
        turn()
        for number in 1...6 {
            let channel = try node.apiConnection()
            try channel.arrive("POST /v1/users/alice/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n\(number)")
            store.end()
            turn()
        }
    }

    private func turn() { node.eventLoop.run() }

    private func page(_ query: String) throws -> EmbeddedChannel {
        let channel = try node.apiConnection()
        try channel.arrive("GET /v1/users/alice/messages?\(query) HTTP/1.1\r\nHost: x\r\n\r\n")
        store.end()
        turn()
        return channel
    }

    @Test func whoReadsFromTheStoreHoldsUpNobodyElse() throws {
        let reader = try page("since=earliest")
        #expect(try reader.leaving() == "" && store.asked.map(\.after) == [0] && store.asked.map(\.through) == [4])
        let newest = try page("limit=2")
        #expect(try newest.leaving().contains(#""seq":6"#) && store.asked.count == 1)
    }

    @Test func messagesThatCantBeReadAreAnAlarm() throws {
        _ = try page("since=earliest")
        store.answer(HistoryPart(messages: [], isDamaged: true))
        turn()
        #expect(node.shard.context.standing.alarms.map(\.kind) == [.storeDamaged])
    }

    @Test func aStoreThatTakesNoMoreIsSaidAtOnceAndTriedAgain() throws {
        store.setRoom(false)
        let reader = try page("since=earliest")
        turn()
        #expect(try reader.leaving() == "" && store.asked.isEmpty)
        #expect(node.shard.machine.olderReadCounts.refused == 1, "the page asks again by itself")
    }

    /// What was changed just now may be what is asked for.
    @Test func whatIsAskedComesBehindWhatTheStoreIsToHave() throws {
        let channel = try node.apiConnection()
        try channel.arrive("POST /v1/users/alice/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n7")
        let reader = try node.apiConnection()
        try reader.arrive("GET /v1/users/alice/messages?since=earliest HTTP/1.1\r\nHost: x\r\n\r\n")
        turn()
        #expect(store.asked.isEmpty)
        store.end()
        turn()
        store.end()
        turn()
        #expect(store.asked.map(\.through) == [5])
    }
}
