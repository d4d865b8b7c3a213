// The subscriber library: one user's messages in order, over the transport of one's choice, across lost connections and
// stopping nodes. It is driven by whoever iterates: nothing runs and nothing is read that nobody asked for, so a slow
// reader slows its socket down and no queue grows.
import NIOCore

/// One user's messages, as a sequence that goes on across reconnects.
///
/// It always resumes at the last cursor, so nothing comes twice and nothing is skipped without a
/// ``SubscriberEvent/gap(cursor:)``. The sequence ends when its task is cancelled, and throws when coming back would not help.
public struct Subscriber: AsyncSequence, Sendable {
    /// What comes.
    public typealias Element = SubscriberEvent
    /// How it can end.
    public typealias Failure = SubscriberError

    /// How messages come.
    public enum Transport: String, CaseIterable, Sendable {
        /// A WebSocket.
        case webSocket = "ws"
        /// Server-sent events.
        case eventStream = "sse"
        /// Polls that wait at the node until there is something.
        case longPoll = "poll"
        /// Polls that come back at once, one every ``Options/pollMilliseconds``.
        case polling
    }

    /// How a subscriber behaves.
    public struct Options: Sendable {
        /// The pause between two plain polls that brought nothing.
        public var pollMilliseconds: Int64 = 500
        /// How long a long poll waits at the node.
        public var waitSeconds: Int64 = 25
        /// A node that stops names another one to go to. Such an address is used if it is among those that the subscriber was
        /// given; with this, always. Not by default: behind a load balancer a client may reach no node's own address, and it
        /// need not trust one that it was not given by its own user.
        public var followsAddresses = false
        /// Also hear who comes to the channels, and goes; polls can't.
        public var presence = false
        /// Says who the subscriber is; `nil` where nodes ask nobody.
        public var token: TokenSource?
        /// Whom to believe to be a node, at `https://` addresses.
        public var trust = TrustRoots.system

        /// The defaults.
        public init() {}
    }

    /// Where a subscription stands, for another one with the same user, channels and transport to go on from.
    public struct Place: Equatable, Sendable {
        let cursor: String?
        let channels: [String: String]

        /// The beginning.
        public init() {
            cursor = nil
            channels = [:]
        }

        init(cursor: String?, channels: [String: String] = [:]) {
            self.cursor = cursor
            self.channels = channels
        }
    }

    /// A message with its envelope takes at most so many bytes; a larger one ends the connection.
    static let messageBytesMax = 2 * 1_024 * 1_024

    let urls: [Endpoint]
    /// Whose messages; `nil` where only channels are listened to.
    public let user: String?
    /// Channels to listen to.
    public let channels: [String]
    /// How they come.
    public let transport: Transport
    let position: Place
    let options: Options

    /// - Parameters:
    ///   - urls: client addresses, at least one; when a connection ends or can't be made, the next one's turn comes.
    ///   - user: whose messages; with `nil` only those of channels come.
    ///   - channels: what else to listen to.
    ///   - since: a cursor or "earliest"; `nil` for now.
    public init(
        urls: [Endpoint], user: String?, channels: [String] = [], transport: Transport = .webSocket, since: String? = nil,
        options: Options = Options()
    ) {
        let beginning = since == "earliest" ? Dictionary(channels.map { ($0, "earliest") }, uniquingKeysWith: { $1 }) : [:]
        self.init(
            urls: urls, user: user, channels: channels, transport: transport, position: Place(cursor: since, channels: beginning),
            options: options)
    }

    /// - Parameters:
    ///   - urls: client addresses, at least one; when a connection ends or can't be made, the next one's turn comes.
    ///   - user: whose messages; with `nil` only those of channels come.
    ///   - channels: what else to listen to.
    ///   - place: where a subscription like this one stood.
    public init(
        urls: [Endpoint], user: String?, channels: [String] = [], transport: Transport = .webSocket, position: Place,
        options: Options = Options()
    ) {
        precondition(!urls.isEmpty, "a subscriber needs an address to connect to")
        precondition(user != nil || !channels.isEmpty, "a subscriber needs something to listen to")
        self.channels = channels
        self.urls = urls
        self.user = user
        self.transport = transport
        self.position = position
        self.options = options
    }

    fileprivate var userQuery: String { user.map { "user=\($0.percentEncoded)" } ?? "" }

    /// Without the cursor.
    fileprivate var query: String {
        ((user == nil ? [] : [userQuery]) + channels.map { "channel=\($0.percentEncoded)" } + (options.presence ? ["presence=true"] : []))
            .joined(separator: "&")
    }

    /// Begins a subscription of its own; nothing is connected before the first `next`.
    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(session: SubscriberSession(self)) }

    /// One subscription.
    public struct AsyncIterator: AsyncIteratorProtocol {
        let session: SubscriberSession

        /// Where it is connected; while it is not, where it connects next.
        public var endpoint: Endpoint { session.endpoint }

        /// Where to resume with `since` everything that has come so far; `nil` before anything has, and where several subscriptions are
        /// resumed each with a cursor of its own, as on a WebSocket with channels.
        public var resumeCursor: String? { session.resumeCursor }

        /// Where to go on from with another subscriber like this one.
        public var position: Place { session.position }

        /// The next event; `nil` once the task has been cancelled.
        public mutating func next() async throws(SubscriberError) -> SubscriberEvent? { try await session.next() }

        /// The next event; `nil` once the task has been cancelled.
        public mutating func next(isolation actor: isolated (any Actor)?) async throws(SubscriberError) -> SubscriberEvent? {
            try await session.next()
        }
    }
}

/// A transport's connection, read by one caller at a time.
protocol SubscriberConnection: AnyObject {
    /// What came, in order, at least one item; waits for it.
    nonisolated(nonsending) func next() async throws(Disconnect) -> [StreamItem]

    /// Shows another token: at once, or with the next request.
    func present(_ token: String)
}

/// One subscription: the machine, and the connection of the moment. Belongs to one iterator, is used by one task at a time.
final class SubscriberSession {
    private enum State {
        /// Can transition to connected, pausing, ended.
        case connecting
        /// Can transition to pausing, ended.
        case connected(any SubscriberConnection, since: NIODeadline)
        /// Can transition to connecting, ended.
        case pausing(milliseconds: Int)
        /// Final.
        case ended(SubscriberError?)
    }

    private let subscriber: Subscriber
    private var machine: SubscriberMachine
    private var tokens: TokenMachine
    private var state = State.connecting
    /// What has been read and not been asked for yet: one read's worth at most, last first.
    private var unread: [StreamItem] = []
    /// The second of two events that come together.
    private var following: SubscriberEvent?

    init(_ subscriber: Subscriber) {
        self.subscriber = subscriber
        tokens = TokenMachine(hasSource: subscriber.options.token != nil)
        machine = SubscriberMachine(
            position: subscriber.position, endpoints: subscriber.urls, followsAddresses: subscriber.options.followsAddresses,
            resumesTogether: subscriber.transport != .webSocket && !subscriber.channels.isEmpty)
    }

    var endpoint: Endpoint { machine.endpoint }
    var position: Subscriber.Place { Subscriber.Place(cursor: machine.cursor, channels: machine.channelCursors) }
    var resumeCursor: String? { machine.channelCursors.isEmpty || machine.resumesTogether ? machine.cursor : nil }

    nonisolated(nonsending) func next() async throws(SubscriberError) -> SubscriberEvent? {
        while true {
            if let event = following {
                following = nil
                return event
            }
            if let item = unread.popLast() {
                if case .closing(let disconnect) = item { return end(disconnect) }
                if case .expiring(let end) = item {
                    if let event = await renew(end) { return event }
                    continue
                }
                if let event = machine.onItem(item) { return event }
                continue
            }
            switch state {
            case .ended(let error):
                if let error { throw error }
                return nil
            case .pausing(let milliseconds):
                do { try await Task.sleep(for: .milliseconds(milliseconds)) } catch { state = .ended(nil) }
                if case .pausing = state { state = .connecting }
            case .connecting, .connected:
                do throws(Disconnect) {
                    try await read()
                } catch {
                    if !Task.isCancelled { return end(error) }
                    state = .ended(nil)
                }
            }
        }
    }

    private nonisolated(nonsending) func read() async throws(Disconnect) {
        if case .connecting = state { state = .connected(try await connect(), since: .now()) }
        guard case .connected(let connection, _) = state else { return }
        unread = try await connection.next().reversed()
        if unread.contains(where: \.isService) { tokens.onTaken() }
    }

    /// `nil` where the announcement is an old one.
    private nonisolated(nonsending) func renew(_ end: Int64) async -> SubscriberEvent? {
        guard let source = subscriber.options.token else { return .expiring(at: end) }
        guard case .connected(let connection, _) = state, tokens.onExpiring(at: end) else { return nil }
        do throws(Disconnect) {
            let token = try await source.next()
            if tokens.onRenewal(token) {
                connection.present(token)
            } else {
                following = .notRenewed("the token source gives the same token again")
            }
        } catch {
            following = .notRenewed(error.reason)
        }
        return machine.onItem(.expiring(at: end))
    }

    private nonisolated(nonsending) func connect() async throws(Disconnect) -> any SubscriberConnection {
        if let source = subscriber.options.token, tokens.needsToken {
            if let disconnect = tokens.onToken(try await source.next()) { throw disconnect }
        }
        let access = Access(machine.endpoint, trust: subscriber.options.trust, credential: tokens.token)
        let isResuming = machine.cursor != nil && machine.cursor != subscriber.position.cursor
        switch subscriber.transport {
        case .webSocket:
            let channels = subscriber.channels.map {
                ChannelStart(
                    channel: $0, since: machine.channelCursors[$0], presence: subscriber.options.presence)
            }
            return try await WebSocketConnection.open(access, query: subscriber.userQuery, since: machine.cursor, channels: channels)
        case .eventStream:
            return try await EventStreamConnection.open(
                access, query: subscriber.query, since: machine.cursor, isResuming: isResuming)
        case .longPoll, .polling:
            return PollConnection(
                access, query: subscriber.query, since: machine.cursor,
                waitSeconds: subscriber.transport == .longPoll ? subscriber.options.waitSeconds : 0,
                pauseMilliseconds: subscriber.transport == .longPoll ? 0 : subscriber.options.pollMilliseconds)
        }
    }

    private func end(_ disconnect: Disconnect) -> SubscriberEvent {
        let disconnect = tokens.onDisconnect(disconnect)
        var lived: Int64 = 0
        if case .connected(_, let since) = state { lived = (NIODeadline.now() - since).nanoseconds / 1_000_000 }
        unread = []
        var generator = SystemRandomNumberGenerator()
        switch machine.onDisconnect(disconnect, livedMilliseconds: lived, using: &generator) {
        case .connect(let milliseconds):
            state = .pausing(milliseconds: milliseconds)
            following = .reconnecting(afterMilliseconds: milliseconds)
        case .stop(let error): state = .ended(error)
        }
        return .disconnected(disconnect.reason)
    }
}
