// What a subscriber hears: messages, where it stands, and what happens to its connection.

/// One message, of the user or of a channel.
public struct Message: Hashable, Sendable {
    /// The channel that it came on; `nil` for one to the user.
    public var channel: String? = nil
    /// Who sent it, as a node has verified; `nil` for a sender that is not named.
    public var from: Sender? = nil
    /// Its number in the user's or the channel's order, without holes within one incarnation of the cursor.
    public let sequence: UInt64
    /// Where to resume after this message.
    public let cursor: String
    /// 32 hexadecimal digits, the same in every repeat of one publish.
    public let id: String
    /// When the owner took it, in milliseconds since 1970.
    public let at: Int64
    /// The payload as JSON, byte for byte as the producer sent it; a JSON string when the producer sent text.
    public let data: [UInt8]

    /// Who sent a message.
    public enum Sender: Hashable, Sendable {
        /// A client, by the user that its token names.
        case user(String)
        /// A producer, by the id of its API key.
        case key(String)
    }

    /// The payload's text when it is a JSON string; otherwise `nil`.
    public var text: String? { data.withUnsafeBytes { $0.text(at: 0..<$0.count) } }
}

/// What a subscriber hears.
public enum SubscriberEvent: Hashable, Sendable {
    /// A connection is up; what is new comes after this cursor.
    case attached(cursor: String)
    /// A channel is listened to; what is new comes after this cursor.
    case listening(channel: String, cursor: String)
    case message(Message)
    /// Messages were lost to the bounds of the history; it goes on after this cursor.
    case gap(cursor: String)
    /// Messages of a channel were lost to the bounds of its history; it goes on after this cursor.
    case channelGap(channel: String, cursor: String)
    /// Who listens to a channel, where that was asked for, by name; the number counts sockets, of users and of nobody.
    case present(channel: String, subscribers: Int, users: [String])
    /// These users listen to a channel now.
    case joined(channel: String, users: [String])
    /// These users listen to a channel no more.
    case left(channel: String, users: [String])
    /// The subscriber's token ends at this time, in milliseconds since 1970; ``TokenSource`` is asked for another one.
    case expiring(at: Int64)
    /// The token that ends has not been replaced, for this reason; when it has ended, another one is asked for again.
    case notRenewed(String)
    /// The connection has ended, for this reason.
    case disconnected(String)
    /// The next attempt comes after a pause, at the last cursor.
    case reconnecting(afterMilliseconds: Int)
}

/// Why a subscription has ended for good.
public enum SubscriberError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A node refused it, and would again: HTTP status, code and message.
    case refused(status: Int, code: String, message: String)
    /// A node closed the connection and told the client not to come back.
    case stopped(String)
    /// What the ``TokenSource`` gives is no token.
    case noToken(String)

    /// A sentence for whoever subscribed.
    public var description: String {
        switch self {
        case .refused(let status, let code, let message): "\(code) (HTTP \(status)): \(message)"
        case .stopped(let reason): "the node told us to stop: \(reason)"
        case .noToken(let reason): reason
        }
    }
}
