// Those who send: one task a user, each message after the receipt of the one before, by all ways and through all nodes in turn. What was
// refused, or of which nobody knows, is repeated with its idempotency key.

import Foundation
import RingpostClient
import RingpostCore
import Synchronization

final class Speakers: Sendable {
    /// Nodes remember a key for 30 s. What is still unknown by then must not be repeated: it could be appended a second time.
    static let repeatSecondsMax = 15.0
    static let repeatPauseMilliseconds = 100

    private let chat: Chat
    private let orders: [Producer.Destination]
    private let board: Board
    private let publishers: Mutex<[any Publisher]>
    private let intervalMilliseconds: Double
    private let stopped = Mutex(false)
    /// Keys of this run alone.
    private let prefix = UUID().uuidString.prefix(8)

    /// - Parameter perSecond: messages of all users together.
    init(chat: Chat, board: Board, publishers: [any Publisher], perSecond: Double) {
        self.chat = chat
        self.board = board
        self.publishers = Mutex(publishers)
        orders = chat.orders
        intervalMilliseconds = 1_000 * Double(orders.count) / perSecond
    }

    /// Sends until `stop`, and returns when the last message has its answer.
    func run() async {
        await withTaskGroup(of: Void.self) { group in
            for user in orders.indices { group.addTask { await self.speak(user) } }
        }
    }

    func stop() { stopped.withLock { $0 = true } }

    /// Takes other publishers from now on.
    func replacePublishers(_ replace: ([any Publisher]) -> [any Publisher]) {
        publishers.withLock { $0 = replace($0) }
    }

    private func speak(_ user: Int) async {
        while !stopped.withLock({ $0 }) {
            try? await Task.sleep(for: .milliseconds(intervalMilliseconds * .random(in: 0.5...1.5)))
            let number = board.onSend(user: user)
            await send(chat.payload(order: user, number: number), user: user, number: number)
        }
    }

    private func send(_ payload: [UInt8], user: Int, number: Int) async {
        let began = ContinuousClock.now
        var nodes: Set<String> = []
        var mayBeAppended = false
        for attempt in 0... {
            let publisher = publishers.withLock { $0[(user + number + attempt) % $0.count] }
            nodes.insert(publisher.node)
            switch await publisher.publish(payload, to: orders[user], key: "\(prefix)-\(user)-\(number)") {
            case .receipt(let receipt):
                nodes.insert(publisher.node)
                return board.onReceipt(user: user, number: number, receipt, nodes: nodes)
            case .hopeless(let reason): return board.onRefused(user: user, number: number, reason)
            case .refused(let reason): board.onRepeat(reason)
            case .unknown(let reason):
                board.onRepeat(reason)
                mayBeAppended = true
            }
            if mayBeAppended, ContinuousClock.now - began > .seconds(Self.repeatSecondsMax) {
                // The last attempt may still be under way: what comes next must not overtake it.
                try? await Task.sleep(for: .milliseconds(Publish.budgetMillisecondsMax))
                return board.onUnknown(user: user, number: number)
            }
            try? await Task.sleep(for: .milliseconds(Self.repeatPauseMilliseconds))
        }
    }
}
