// What somebody wants published, as it was read from a request, a batch's line or a client's command.
import RingpostCore

/// A publish before it has an id and a deadline.
package struct PublishRequest: Equatable, Sendable {
    /// The longest idempotency key, in bytes; whoever publishes the request holds it against that.
    package static let idempotencyKeyBytesMax = 255

    /// For whom.
    package let key: Key
    /// JSON on one line.
    package let data: [UInt8]
    /// Empty: none was given.
    package let idempotencyKey: [UInt8]
    /// In seconds; `nil`: as long as the history keeps it.
    package let timeToLive: UInt32?
    /// How long it may take.
    package var budgetMilliseconds: Int64

    /// A request with the longest budget, unless another one is given.
    package init(
        key: Key, data: [UInt8], idempotencyKey: [UInt8], timeToLive: UInt32?,
        budgetMilliseconds: Int64 = Publish.budgetMillisecondsMax
    ) {
        self.key = key
        self.data = data
        self.idempotencyKey = idempotencyKey
        self.timeToLive = timeToLive
        self.budgetMilliseconds = budgetMilliseconds
    }

    /// Reads a time to live, in whole seconds; `nil` without one.
    package static func timeToLive(_ text: String?) throws(ProblemReport) -> UInt32? {
        guard let text else { return nil }
        guard let seconds = UInt32(text), seconds <= Publish.timeToLiveSecondsMax else {
            throw ProblemReport(.badParameter, "Ringpost-TTL takes whole seconds from 0 to \(Publish.timeToLiveSecondsMax)")
        }
        return seconds
    }
}
