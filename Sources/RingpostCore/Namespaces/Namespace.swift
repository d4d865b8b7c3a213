// What an operator says about a part of the channels: those whose names begin with the namespace's and a colon. A member that is `nil` leaves
// things as they are without a namespace.

/// The rules of one namespace. All nodes of a cluster need the same.
public struct Namespace: Hashable, Sendable {
    /// Who may do something without being granted it.
    public enum Audience: String, Sendable, CaseIterable {
        /// Nobody: a token has to grant it.
        case nobody
        /// Every client that brings a token.
        case tokens
        /// Every client.
        case anybody
    }

    /// What stands before the first colon of its channels' names.
    public let name: [UInt8]
    /// Messages that one channel keeps; the oldest goes first.
    public var historyMessages: Int?
    /// Bytes of envelopes that one channel keeps.
    public var historyBytes: Int?
    /// How long a channel keeps a message, in seconds.
    public var historySeconds: Int?
    /// The time to live of a message whose publisher doesn't say one, in seconds.
    public var timeToLiveSeconds: UInt32?
    /// Whether clients may see who is there.
    public var allowsPresence = true
    /// Who may publish without being granted it.
    public var publish: Audience?
    /// Who may listen without being granted it.
    public var subscribe: Audience?
    /// Messages that one channel takes in a second, and twice as many at once.
    public var messagesPerSecond: Int?
    /// Sockets of one event loop that listen to one channel.
    public var subscribers: Int?
    /// Bytes of a message's payload as JSON.
    public var payloadBytes: Int?
    /// Channels that a node knows in all, its copies of others' included.
    public var channels: Int?
    /// Bytes of envelopes that a node keeps in all their histories.
    public var bytes: Int?

    /// A namespace that changes nothing.
    ///
    /// - Parameter name: `nil` for one that no channel's name can begin with.
    public init?(name: [UInt8]) {
        guard !name.contains(NamespaceTable.colon), NameError.find(in: name, bytesMax: Self.nameBytesMax) == nil else { return nil }
        self.name = name
    }

    /// The name, for people.
    public var text: String { String(decoding: name, as: UTF8.self) }

    // MARK: Bounds

    /// A name, a colon, and one byte behind it.
    public static let nameBytesMax = Key.channelBytesMax - 2
    /// The most messages in a channel's history.
    public static let historyMessagesMax = 10_000
    /// The most bytes in a channel's history.
    public static let historyBytesMax = 16 * 1_024 * 1_024
    /// The longest time for which a message is kept.
    public static let secondsMax = Int(Publish.timeToLiveSecondsMax)
    /// The most messages in a second, and sockets of one channel.
    public static let countMax = 1_000_000
    /// The largest payload.
    public static let payloadBytesMax = 1_024 * 1_024
    /// The most channels of a node.
    public static let channelsMax = 100_000_000
    /// The most bytes of a node.
    public static let bytesMax = 1 << 40
}
