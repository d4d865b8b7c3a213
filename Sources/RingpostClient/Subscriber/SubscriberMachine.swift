// Where a subscriber stands and what it does when its connection ends, as a value: no socket, no clock, no random
// numbers of its own.

/// A subscriber's decisions.
struct SubscriberMachine: Sendable {
    /// A connection that lived for so long was a good one; the next pause is a short one again.
    static let provenMilliseconds: Int64 = 1_000

    /// Where to resume; at first where the caller wants to begin, `nil` for now.
    private(set) var cursor: String?
    private var backoff = Backoff()
    /// An event stream's `retry:` holds for all later pauses.
    private var retryMilliseconds: Int?

    init(since: String?) { cursor = since }

    /// Something has arrived. `nil`: nothing that the caller needs to hear.
    mutating func onItem(_ item: StreamItem) -> SubscriberEvent? {
        switch item {
        case .attached(let cursor):
            self.cursor = cursor
            return .attached(cursor: cursor)
        case .gap(let cursor):
            self.cursor = cursor
            return .gap(cursor: cursor)
        case .message(let message):
            cursor = message.cursor
            return .message(message)
        case .retry(let milliseconds):
            retryMilliseconds = milliseconds
            return nil
        case .closing: return nil
        }
    }

    enum Next: Equatable {
        case connect(afterMilliseconds: Int)
        case stop(SubscriberError)
    }

    /// The connection has ended, or could not be made.
    mutating func onDisconnect(
        _ disconnect: Disconnect, livedMilliseconds: Int64, using generator: inout some RandomNumberGenerator
    ) -> Next {
        if let error = disconnect.final { return .stop(error) }
        if livedMilliseconds >= Self.provenMilliseconds { backoff.reset() }
        return .connect(afterMilliseconds: backoff.next(wish: disconnect.wishMilliseconds ?? retryMilliseconds, using: &generator))
    }
}
