// Ten thousand listeners and a steady stream of messages to them, with the time of each on its way.

import Foundation
import RingpostClient
import Synchronization

/// When messages left and came, and who owned their users then.
final class JoinMeter: Sendable {
    /// The time that a message took that never came.
    static let never = Int64.max / 2

    private struct Way {
        let user: Int
        let sentAt: Int64
        var arrivedAt: Int64?
        var owner: String?
    }

    private struct State {
        var ways: [Way] = []
        /// By user, its messages.
        var byUser: [[Int]]
    }

    private let state: Mutex<State>

    init(users: Int) { state = Mutex(State(byUser: Array(repeating: [], count: users))) }

    func onSend(user: Int, at now: Int64) {
        state.withLock { state in
            state.byUser[user].append(state.ways.count)
            state.ways.append(Way(user: user, sentAt: now))
        }
    }

    func onReceipt(user: Int, number: Int, owner: String) {
        state.withLock { $0.ways[$0.byUser[user][number]].owner = owner }
    }

    func onArrival(user: Int, number: Int, at now: Int64) {
        state.withLock { state in
            let index = state.byUser[user][number]
            if state.ways[index].arrivedAt == nil { state.ways[index].arrivedAt = now }
        }
    }

    /// From sending to arrival, sorted, of messages sent in this time to users like this. What never came took for ever.
    func latencies(from start: Int64, to end: Int64, of isWanted: (Int) -> Bool) -> [Int64] {
        let ways = state.withLock { $0.ways }
        return ways.filter { $0.sentAt >= start && $0.sentAt < end && isWanted($0.user) }
            .map { way in way.arrivedAt.map { $0 - way.sentAt } ?? Self.never }.sorted()
    }

    /// By user, who owned it last before one moment and first after another.
    func owners(before: Int64, after: Int64) -> [Int: (before: String, after: String)] {
        let state = state.withLock { $0 }
        var owners: [Int: (before: String, after: String)] = [:]
        for (user, indices) in state.byUser.enumerated() {
            let ways = indices.map { state.ways[$0] }
            if let old = ways.last(where: { $0.sentAt < before && $0.owner != nil })?.owner,
                let new = ways.first(where: { $0.sentAt >= after && $0.owner != nil })?.owner
            {
                owners[user] = (old, new)
            }
        }
        return owners
    }
}

final class JoinLoad: Sendable {
    static let tickMilliseconds = 5.0

    let board: Board
    let meter: JoinMeter
    private let listeners: Listeners
    private let nodes: [TortureNode]
    private let producers: [Producer]
    private let users: [String]
    private let stopped = Mutex(false)

    init(users count: Int, nodes: [TortureNode]) {
        let seats = Listeners.seats(users: count, each: 1, transports: [.webSocket])
        let board = Board(userCount: count, listeners: seats.map(\.user))
        let meter = JoinMeter(users: count)
        users = (0..<count).map { "user-\($0)" }
        listeners = Listeners(seats: seats, users: users, board: board) { _, message in
            guard let identity = Chat.identity(message.data) else { return }
            meter.onArrival(user: identity.user, number: identity.number, at: board.now)
        }
        producers = nodes.indices.map {
            Producer(links: Array(nodes[$0...] + nodes[..<$0]).map(\.link), apiKey: nodes[$0].credentials.apiKey)
        }
        self.board = board
        self.meter = meter
        self.nodes = nodes
    }

    func attach() async {
        await listeners.spread(over: nodes)
        await listeners.awaitAttached()
    }

    /// Sends to one user after the other, round and round, until stopped.
    func talk(perSecond: Double) async {
        let start = ContinuousClock.now
        var sent = 0
        while !stopped.withLock({ $0 }) {
            let due = Int(Double((ContinuousClock.now - start).microseconds) / 1_000_000 * perSecond)
            while sent < due {
                await send(to: sent % users.count, through: producers[sent % producers.count])
                sent += 1
            }
            try? await Task.sleep(for: .milliseconds(Self.tickMilliseconds))
        }
        for producer in producers { await producer.close() }
    }

    func stop() { stopped.withLock { $0 = true } }

    func end() async { await listeners.end() }

    private func send(to user: Int, through producer: Producer) async {
        let (board, meter) = (board, meter)
        let number = board.onSend(user: user)
        meter.onSend(user: user, at: board.now)
        do throws(ProducerError) {
            try await producer.enqueueWaiting(.json(Array("{\"u\":\(user),\"n\":\(number)}".utf8)), to: .user(users[user])) { result in
                switch result {
                case .success(let receipt):
                    let known = PublishReceipt(sequence: receipt.sequence, owner: receipt.owner, isMirrored: receipt.isMirrored)
                    board.onReceipt(user: user, number: number, known, nodes: [])
                    meter.onReceipt(user: user, number: number, owner: receipt.owner)
                case .failure(let error): board.onRefused(user: user, number: number, "\(error)")
                }
            }
        } catch {
            board.onRefused(user: user, number: number, "\(error)")
        }
    }
}
