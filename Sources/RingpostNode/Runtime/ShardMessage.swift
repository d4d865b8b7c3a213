// What event loops of one node say to each other. Each loop collects a tick's worth for every other one and hands it
// over in one piece; a loop that talks to itself calls the same function directly.
import RingpostCore

/// Where things are on a node: `channel` of a `ReturnAddress`, taken apart.
struct ConnectionAddress: Hashable {
    /// 256 loops, and 2^24 - 1 link connections on each.
    static let loopsMax = 256
    static let connectionsMax = 1 << 24 - 1

    let shard: Int
    /// An accepted link connection of that loop; 0 for the loop itself.
    let connection: Int

    init(shard: Int, connection: Int = 0) {
        self.shard = shard
        self.connection = connection
    }

    init(_ address: ReturnAddress) { self.init(connectionID: address.connectionID) }

    init(connectionID: UInt32) {
        shard = Int(connectionID >> 24)
        connection = Int(connectionID & 0xFF_FFFF)
    }

    var connectionID: UInt32 { UInt32(shard) << 24 | UInt32(connection) }
}

/// What goes to all sockets of a channel.
enum ChannelItem: Sendable {
    case message(incarnation: UInt64, StoredMessage)
    /// The node has missed something: every socket has to ask for it itself.
    case gap
}

/// One thing that goes from a loop to another.
enum ShardMessage: Sendable {
    /// To the loop of the key's slot.
    case submit(Publish, PublishContext)
    case attach(AttachRequest, epoch: UInt64)
    case detach(ReturnAddress, Key)
    /// To the loop that the address names.
    case answer(ReturnAddress, PublishResult)
    case attached(ReturnAddress, Result<AttachReply, Problem>)
    case deliver(ReturnAddress, incarnation: UInt64, StoredMessage)
    case detached(ReturnAddress)
    /// To the loop of a channel's slot: a loop has its first socket that listens to it, or its last one has gone.
    case addShard(Key, shard: Int)
    case removeShard(Key, shard: Int)
    /// To the loop of a channel's slot: who of a loop's sockets listens to it, and who of another node's.
    case listeners(Key, shard: Int, PresenceReport)
    case report(Key, ReturnAddress, node: String, PresenceReport)
    /// To the loop that the address names.
    case presence(ReturnAddress, PresenceNews)
    /// To each loop with sockets that want to hear who comes to the channel, and goes.
    case presenceNews(Key, PresenceNews)
    /// To each loop with sockets that listen to the channel.
    case fanOut(Key, ChannelItem)
    case channelLost(Key, CloseReason)
    /// To the loop of the slot: an owner's frame, and who it is; the answer goes to the loop of the connection.
    case slotRequest(SlotFrame, MemberIdentity, connectionID: UInt32)
    case slotReply(connectionID: UInt32, SlotFrame)
    case closeConnection(UInt32)
    /// To all loops: a link connection or a producer's stream has ended.
    case connectionEnded(UInt32)
    case streamEnded(UInt64)
}
