// Messages between the shards of one node. A shard collects its messages to each other one in a turn, and hands them over in one batch; its
// messages to itself it receives at once.
import RingpostCore

/// A shard, or one of its accepted links: the parts of a `ReturnAddress`'s connection id.
struct ConnectionAddress: Hashable {
    /// 256 shards, and 2^24 - 1 accepted links of each.
    static let loopsMax = 256
    static let connectionsMax = 1 << 24 - 1

    let shard: Int
    /// An accepted link of that shard; 0 for the shard itself.
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

/// An event for all subscriptions to a channel.
package enum ChannelItem: Sendable {
    case message(incarnation: UInt64, StoredMessage)
    /// The node has missed messages: every subscription has to ask for them itself.
    case gap
}

/// A message from one shard to another, or to itself.
package enum ShardMessage: Sendable {
    /// To the shard of the key's slot.
    case submit(Publish, PublishContext)
    case attach(AttachRequest, epoch: UInt64)
    case detach(ReturnAddress, Key)
    /// To the shard that the address names.
    case answer(ReturnAddress, PublishResult)
    case attached(ReturnAddress, Result<AttachReply, Problem>)
    case deliver(ReturnAddress, incarnation: UInt64, StoredMessage)
    case detached(ReturnAddress)
    /// To the shard of a channel's slot: a shard has its first subscription to it, or its last one has gone.
    case addShard(Key, shard: Int)
    case removeShard(Key, shard: Int)
    /// To the shard of a channel's slot: who listens to it on a shard, and who on another node.
    case listeners(Key, shard: Int, PresenceReport)
    case report(Key, ReturnAddress, node: String, PresenceReport)
    /// To the shard that the address names.
    case presence(ReturnAddress, PresenceNews)
    /// To each shard with subscriptions that want to hear who comes to the channel, and who goes.
    case presenceNews(Key, PresenceNews)
    /// To each shard with subscriptions to the channel.
    case fanOut(Key, ChannelItem)
    case channelLost(Key, CloseReason)
    /// To the shard of the slot: an owner's frame, and who it is; the answer goes to the shard of the connection.
    case slotRequest(SlotFrame, MemberIdentity, connectionID: UInt32)
    case slotReply(connectionID: UInt32, SlotFrame)
    case closeConnection(UInt32)
    /// To all shards: a link connection or a producer's stream has ended.
    case connectionEnded(UInt32)
    case streamEnded(UInt64)
}
