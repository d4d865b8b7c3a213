// What somebody wants to read of a history, and what comes of it: one page, in order, with the cursor at which the next one begins.

/// A question for a page of a user's or channel's history.
public struct HistoryQuery: Hashable, Sendable {
    /// Messages of one page, at most.
    public static let countMax = 1_000
    /// Messages of one page where nobody says how many.
    public static let countDefault = 100
    /// No more is asked of the owner for a page that has so many bytes of messages.
    public static let bytesMax = 256 * 1_024
    /// A page that is not there by then is refused.
    public static let millisecondsMax: Int64 = 2_000

    /// Whose history.
    public let key: Key
    /// Where the page begins: at the end, or before a cursor, it is read backwards.
    public let start: AttachStart
    /// Of a page that is read forwards: it ends before the message that this cursor came with.
    public let end: Cursor?
    /// So many messages at most.
    public let countMax: Int

    /// A page from a place on.
    ///
    /// - Parameters:
    ///   - since: `.earliest`, or after a cursor; `nil` for the newest messages.
    ///   - before: messages before the one that came with it.
    public init(key: Key, since: AttachStart?, before: Cursor?, countMax: Int = HistoryQuery.countDefault) {
        self.key = key
        start = since ?? before.map(AttachStart.before) ?? .newest
        end = since == nil ? nil : before
        self.countMax = min(max(1, countMax), Self.countMax)
    }

    /// The page's messages are older than what was asked for, not newer.
    public var isBackwards: Bool {
        switch start {
        case .newest, .before: true
        case .now, .earliest, .after: false
        }
    }
}

/// Some of a history.
public struct HistoryPage: Hashable, Sendable {
    /// In order, whichever way it was read.
    public let messages: [StoredMessage]
    /// Where the next page begins, in the direction of this one: as `since`, or as `before`.
    public let next: Cursor
    /// There is more in that direction.
    public let hasMore: Bool
    /// The history does not reach back as far as was asked. Forwards: what stood between the cursor and this page is not kept. Backwards: there
    /// were older messages, and they are not kept.
    public let gap: Bool

    /// All of it.
    public init(messages: [StoredMessage], next: Cursor, hasMore: Bool, gap: Bool) {
        self.messages = messages
        self.next = next
        self.hasMore = hasMore
        self.gap = gap
    }
}
