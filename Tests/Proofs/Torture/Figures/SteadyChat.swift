// A chat that just goes on, with a listener for each user, for figures that only look at it.

import Foundation
import RingpostClient
import Synchronization

final class SteadyChat: Sendable {
    let board: Board
    private let speakers: Speakers
    private let listeners: Listeners
    private let nodes: [TortureNode]
    private let talk = Mutex<Task<Void, Never>?>(nil)

    /// - Parameter nodes: where the listeners sit.
    init(chat: Chat, nodes: [TortureNode], publishers: [any Publisher], perSecond: Double) {
        let seats = Listeners.seats(users: chat.users.count, each: 1, transports: [.webSocket, .eventStream]).map { seat in
            Listeners.Seat(user: seat.user, transport: seat.transport, channel: chat.channel(ofUser: seat.user))
        }
        board = Board(userCount: chat.orders.count, listeners: Listeners.orders(seats))
        listeners = Listeners(seats: seats, users: chat.users, channels: chat.channels, board: board)
        speakers = Speakers(chat: chat, board: board, publishers: publishers, perSecond: perSecond)
        self.nodes = nodes
    }

    /// Begins, and returns after some seconds of it.
    func begin(seconds: Double) async throws {
        await listeners.spread(over: nodes)
        await listeners.awaitAttached()
        talk.withLock { $0 = Task { [speakers] in await speakers.run() } }
        try await Task.sleep(for: .seconds(seconds))
    }

    /// Ends the talk, and returns when everyone has heard everything.
    func end() async throws {
        speakers.stop()
        // A speaker between two messages may still send one: nobody may stop listening before.
        await talk.withLock { $0 }?.value
        let deadline = ContinuousClock.now + .seconds(Director.recoverySecondsMax)
        while board.read({ $0.unanswered }) > 0, ContinuousClock.now < deadline { try await Task.sleep(for: .milliseconds(20)) }
        _ = try await board.stragglers(secondsMax: Director.stragglerSecondsMax)
        await listeners.end()
    }
}
