// What a producer learns of a message that has its place.
import RingpostCore

/// The receipt of one message.
public struct SendReceipt: Hashable, Sendable {
    /// What came of a message at once.
    public enum Outcome: String, Hashable, Sendable {
        /// A socket of the user, or one that listens to the channel, was attached.
        case delivered
        /// Nobody was attached; it waits in the history.
        case stored
        /// Nobody was attached and it was not to be kept.
        case dropped
        /// Nobody was attached, but its owner has not been the owner, or had its links, for long enough to know whether sockets are on their
        /// way to it. They get the message when they come.
        case unknown
    }

    /// The message's number in its user's or channel's order.
    public let sequence: UInt64
    /// The epoch in which the owner appended it.
    public let epoch: UInt64
    /// The id of the node that owns the user or channel.
    public let owner: String
    /// The id of the node that took the message; when it isn't the owner, the message was forwarded.
    public let via: String
    /// What came of it at once.
    public let outcome: Outcome
    /// True when a second node has it too.
    public let isMirrored: Bool
    /// How many nodes have it: 1 to 3.
    public let copies: Int
    /// True when all nodes that have it have it on a disk, by fsync.
    public let isDurable: Bool
    /// True when an earlier message with the same idempotency key got this receipt.
    public let isRepeated: Bool
    /// 32 hexadecimal digits, the same in every repeat of the message.
    public let id: String

    init(_ receipt: Receipt, via: String) {
        sequence = receipt.sequence
        epoch = receipt.epoch
        owner = receipt.owner
        self.via = via
        outcome =
            switch receipt.outcome {
            case .delivered: .delivered
            case .stored: .stored
            case .dropped: .dropped
            case .unknown: .unknown
            }
        isMirrored = receipt.mirrored
        copies = Int(receipt.copies)
        isDurable = receipt.durable
        isRepeated = receipt.repeated
        id = receipt.id.text
    }
}
