// What a subscription writes to: a client's connection, a poll, or this node's own listening to a channel.
import RingpostCore

protocol SubscriptionSink: AnyObject {
    /// `nil` where it is no client: what it is written is not counted.
    var transportKind: TransportKind? { get }
    /// The client's address, for operators.
    var remote: String { get }
    /// As whom the client listens; `nil` for nobody.
    var user: Key? { get }
    /// Of a poll, until when the next one is waited for; `nil` where the end of the connection is the end.
    var lingersUntil: Int64? { get }
    /// More bytes wait than a replay may add to.
    var isCrowded: Bool { get }
    /// The client begins here.
    func begin(at cursor: Cursor, of subscription: Subscription)
    /// The history did not reach back to the client's cursor.
    func gap(at cursor: Cursor, of subscription: Subscription)
    /// - Parameter shared: the message's forms, where others get the same.
    func write(_ message: StoredMessage, of subscription: Subscription, shared: SharedFrames?)
    /// Writes who listens to a channel, comes to it, or goes.
    func writePresence(_ frames: SharedFrames)
    /// The owner reports who listens: for a node's own attachment.
    func onPresence(_ news: PresenceNews)
    /// Everything that has been written since the last call belongs together.
    func endOfPiece()
    /// The client is better off elsewhere, or has to go.
    func end(_ disconnect: Disconnect)
}
