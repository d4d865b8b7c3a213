// The bounds that a node keeps, each with its default.
import RingpostCore
import RingpostWire

/// What one node takes before it says no.
public struct NodeLimits: Sendable {
    /// A message's payload.
    public var payloadBytesMax = 64 * 1_024
    /// The body of a batch.
    public var batchBytesMax = 4 * 1_024 * 1_024
    /// Bytes of bodies that an event loop holds for one API key or source address.
    public var bodyBytesMax = 16 * 1_024 * 1_024
    /// Messages in a batch.
    public var batchMessagesMax = 1_000
    /// Connections on the client and API ports; as many as the process may have descriptors, less some for itself, unless given.
    public var connectionsMax: Int?
    /// Of them those from one source address; half of all, 4,096 at most, unless given.
    public var connectionsPerAddressMax: Int?
    /// Client sockets and waiting polls of the node, shared out to its event loops.
    public var socketsMax = 100_000
    /// Of them those of one user.
    public var socketsPerUserMax = 100
    /// Of them those from one source address.
    public var socketsPerAddressMax = 1_000
    /// Clients and new tokens from one source address in a second.
    public var connectionsPerAddressPerSecond = 50
    /// Resident memory above which nobody new is let in; three quarters of the machine's unless given.
    public var memoryBytesMax: Int?
    /// A request's line and headers.
    public var headBytesMax = HTTPLimits.headBytesMax
    /// A request's headers.
    public var headerCountMax = HTTPLimits.headerCountMax
    /// Channels that the sockets of one event loop listen to, and questions of theirs that are under way.
    public var channelsMax = 65_536
    /// Channels that one WebSocket listens to.
    public var socketChannelsMax = 255
    /// Channels that an event stream or a poll listens to: all their cursors stand in one.
    public var streamChannelsMax = 32
    /// Sockets of one event loop that listen to one channel.
    public var channelListenersMax = 50_000
    /// Messages that one client publishes in a second, and twice as many at once.
    public var clientPublishesPerSecond = 50
    /// Frames that one WebSocket sends in a second, and twice as many at once; then its bytes wait.
    public var clientFramesPerSecond = 200
    /// Bytes that one WebSocket sends in a second, and four times as many at once; then its bytes wait.
    public var clientBytesPerSecond = 1_024 * 1_024
    /// KiB of histories that one asker pages through in a second on an event loop.
    public var historyKilobytesPerSecond = 4_096
    /// Messages that producers with one API key send in a second, and twice as many at once, unless the key says.
    public var keyMessagesPerSecond = 100_000
    /// Clients' connections that the node takes in a second; 5,000 for each event loop unless given.
    public var connectionsPerSecond: Int?
    /// Clients' connections that the node takes at once; two seconds' worth unless given.
    public var connectionsBurst: Int?
    /// Requests of one connection that wait for their answer; then its bytes wait.
    public var pipelinedMax = 256
    /// Bytes that wait for a client's socket; beyond it the socket is closed with "resume".
    public var socketBytesMax = 1_024 * 1_024
    /// Bytes that wait for a link; beyond it the owner counts as out of reach, and an accepted link is closed.
    public var linkBytesMax = 64 * 1_024 * 1_024
    /// A request's head must be whole so long after its first byte, and a new connection's first one after the connection.
    public var headMilliseconds: Int64 = 5_000
    /// A WebSocket without a token must bring it so long after its opening.
    public var tokenMilliseconds: Int64 = 5_000
    /// A request must be whole so long after its first byte.
    public var requestMilliseconds: Int64 = 10_000
    /// A connection without a request is closed after so long.
    public var keepAliveMilliseconds: Int64 = 75_000
    /// A silent socket is pinged after so long, and closed after twice as long.
    public var pingMilliseconds: Int64 = 25_000
    /// A client whose machine acknowledges nothing for so long is gone. Not shorter than the pause between two signs of life: a client that
    /// is pinged, or gets comments, is not asked by the kernel on top.
    public var vanishedMilliseconds: Int64 = 30_000
    /// What a closing socket gets to take its last bytes.
    public var closeMilliseconds: Int64 = 5_000
    /// When the node leaves in order: how long it waits for others to take over its slots and copies.
    public var handOverMilliseconds = DrainMachine.handOverMillisecondsDefault
    /// A stranger on the link port must have introduced itself by then.
    public var handshakeMilliseconds: Int64 = 1_000
    /// The longest a poll may wait.
    public var pollSecondsMax = 60
    /// Bounds of mailboxes, for each event loop.
    public var mailbox = MailboxLimits()
    /// Bounds of lanes, for each event loop.
    public var lanes = LaneLimits()

    /// The defaults.
    public init() {}
}
