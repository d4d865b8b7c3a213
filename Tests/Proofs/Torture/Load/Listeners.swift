// Those who listen: every user has several, on different transports and at different nodes. A listener whose node goes finds another
// one by itself, as any client does; between two faults they are spread over all nodes again.

import RingpostClient
import RingpostCore
import Synchronization

final class Listeners: Sendable {
    /// A place to listen from.
    struct Seat: Sendable {
        let user: Int
        let transport: Subscriber.Transport
        /// The channel that it listens to as well, as the number of its order.
        var channel: Int?
    }

    private struct Sitting {
        /// The nodes that the subscription knows, the one to begin with first.
        var nodes: [TortureNode] = []
        /// The node where it is or was attached last.
        var node = ""
        /// Whether the attempt of the moment has got as far as a stream.
        var isAttached = false
        /// It has had to go elsewhere since the fault began.
        var wasMoved = false
        /// Where its subscriptions stand.
        var position = Subscriber.Place()
        var task: Task<Void, Never>?
    }

    /// So many connect at a time: a node's backlog is bounded.
    static let connectingMax = 250
    static let connectSecondsMax = 10.0

    /// By the number that a listener has for the board, whose order it hears: one for each seat, then one for each seat's channel.
    static func orders(_ seats: [Seat]) -> [Int] { seats.map(\.user) + seats.compactMap(\.channel) }

    /// - Returns: `each` seats for each user, these transports in turn.
    static func seats(users: Int, each: Int, transports: [Subscriber.Transport] = Subscriber.Transport.allCases) -> [Seat] {
        (0..<users * each).map { Seat(user: $0 % users, transport: transports[($0 + $0 / users) % transports.count]) }
    }

    private let seats: [Seat]
    private let users: [String]
    private let channels: [String]
    private let board: Board
    /// Told of each message, after the board.
    private let onMessage: (@Sendable (Int, Message) -> Void)?
    private let sittings: Mutex<[Sitting]>

    init(seats: [Seat], users: [String], channels: [String] = [], board: Board, onMessage: (@Sendable (Int, Message) -> Void)? = nil) {
        self.seats = seats
        self.users = users
        self.channels = channels
        self.board = board
        self.onMessage = onMessage
        sittings = Mutex(Array(repeating: Sitting(), count: seats.count))
    }

    /// Spreads the listeners evenly over the nodes; those that sit right stay. Returns when those that move have left their old node.
    func spread(over nodes: [TortureNode]) async {
        var leaving: [(seat: Int, home: Int, task: Task<Void, Never>?)] = []
        sittings.withLock { sittings in
            for seat in sittings.indices {
                sittings[seat].wasMoved = false
                // The transports of one node differ, and so do the nodes of one transport.
                let home = (seat / Subscriber.Transport.allCases.count + seat) % nodes.count
                if sittings[seat].task != nil, sittings[seat].isAttached, sittings[seat].node == nodes[home].id { continue }
                sittings[seat].task?.cancel()
                leaving.append((seat, home, sittings[seat].task))
            }
        }
        for (position, (seat, home, task)) in leaving.enumerated() {
            if position > 0, position % Self.connectingMax == 0 { await awaitAttached(leaving[..<position].map(\.seat)) }
            await task?.value
            let order = Array(nodes[home...] + nodes[..<home])
            sittings.withLock { sittings in
                sittings[seat] = Sitting(nodes: order, position: sittings[seat].position)
                sittings[seat].task = Task { await self.listen(seat) }
            }
        }
    }

    /// Waits until all of them have a stream, or an answer to their last poll, but not for ever.
    func awaitAttached() async { await awaitAttached(Array(seats.indices)) }

    private func awaitAttached(_ waiting: [Int]) async {
        let deadline = ContinuousClock.now + .seconds(Self.connectSecondsMax)
        while ContinuousClock.now < deadline, !sittings.withLock({ sittings in waiting.allSatisfy { sittings[$0].isAttached } }) {
            try? await Task.sleep(for: .milliseconds(10))
        }
    }

    /// Ends all of them.
    func end() async {
        let tasks = sittings.withLock { $0.compactMap(\.task) }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    private func listen(_ seat: Int) async {
        let (nodes, position) = sittings.withLock { ($0[seat].nodes, $0[seat].position) }
        var options = Subscriber.Options()
        options.pollMilliseconds = 100
        options.waitSeconds = 5
        options.token = nodes.first?.credentials.token(of: users[seats[seat].user])
        let subscriber = Subscriber(
            urls: nodes.map(\.client), user: users[seats[seat].user],
            channels: seats[seat].channel.map { [channels[$0 - users.count]] } ?? [], transport: seats[seat].transport, position: position,
            options: options)
        var events = subscriber.makeAsyncIterator()
        do throws(SubscriberError) {
            while let event = try await events.next() {
                // After the end of a connection this is the next one's already.
                let endpoint = events.endpoint
                hear(event, seat, at: nodes.first { $0.client == endpoint }?.id ?? "")
                let position = events.position
                update(seat) { $0.position = position }
            }
        } catch {
            board.onSocketEnd(seat, node: "", "the subscription has ended for good: \(error)")
        }
    }

    /// A listener in words.
    func description(of listener: Int) -> String {
        let seat = seats[listener % seats.count]
        let order = listener < seats.count ? users[seat.user] : channels[(seat.channel ?? users.count) - users.count]
        let sitting = sittings.withLock { $0[listener % seats.count] }
        return
            "listener \(listener) of \(order) on \(seat.transport.rawValue) at \(sitting.node)\(sitting.isAttached ? "" : ", not attached,")"
    }

    /// The number of the seat's listener to its channel.
    private func channelListener(_ seat: Int) -> Int { seats.count + seat }

    private func hear(_ event: SubscriberEvent, _ seat: Int, at node: String) {
        switch event {
        case .attached(let cursor):
            onBegin(seat, cursor, at: node) { board.onAttached($0, $1) }
        case .listening(_, let cursor): board.onAttached(channelListener(seat), cursor)
        case .gap(let cursor): onBegin(seat, cursor, at: node) { board.onGap($0, $1) }
        case .channelGap(_, let cursor): if let cursor = Self.cursors(cursor).channel { board.onGap(channelListener(seat), cursor) }
        case .message(let message):
            let wasMoved = sittings.withLock { $0[seat].wasMoved }
            board.onMessage(message.channel == nil ? seat : channelListener(seat), message, node: node, wasMoved: wasMoved)
            onMessage?(seat, message)
        case .disconnected(let reason): onEnd(seat, reason)
        case .reconnecting, .present, .joined, .left, .expiring, .notRenewed: break
        }
    }

    private func onBegin(_ seat: Int, _ cursor: String, at node: String, _ tell: (Int, String) -> Void) {
        let cursors = Self.cursors(cursor)
        if let user = cursors.user { tell(seat, user) }
        // A poll begins with all its subscriptions at once; their gaps are told one by one.
        if let channel = cursors.channel, cursors.user != channel { board.onAttached(channelListener(seat), channel) }
        update(seat) {
            $0.isAttached = true
            $0.node = node
        }
    }

    /// A cursor is a user's, a channel's, or one for both.
    private static func cursors(_ text: String) -> (user: String?, channel: String?) {
        if Cursor(text: text.utf8) != nil { return (text, text) }
        let point = ResumePoint(text: text.utf8)
        return (point?.user?.text, point?.channelCursors.first?.text)
    }

    private func onEnd(_ seat: Int, _ reason: String) {
        let (node, wasAttached) = sittings.withLock { ($0[seat].node, $0[seat].isAttached) }
        // A poll is a request of its own: one that is refused has to be repeated, and no socket has ended.
        let hasSocket = seats[seat].transport == .webSocket || seats[seat].transport == .eventStream
        if wasAttached, hasSocket { board.onSocketEnd(seat, node: node, reason) }
        let isMoved = hasSocket || board.isTaken(node)
        update(seat) {
            $0.isAttached = false
            $0.wasMoved = $0.wasMoved || isMoved
        }
    }

    private func update(_ seat: Int, _ body: (inout Sitting) -> Void) { sittings.withLock { body(&$0[seat]) } }
}
