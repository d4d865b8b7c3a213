// One page of what a user or channel was sent, read from a node's answer. The payloads stay the bytes that they were.
import RingpostCore

/// Messages of a user or channel, in order, and where the next page begins.
public struct MessagePage: Hashable, Sendable {
    /// Messages that a page has at most.
    public static let countMax = HistoryQuery.countMax

    /// In order, whichever way the page was read.
    public let messages: [Message]
    /// The next page begins here: hand it back as `since` where this page was asked for with `since`, and as `before` otherwise.
    public let next: String
    /// There is more in that direction.
    public let hasMore: Bool
    /// The history does not reach back as far as was asked: what stood before this page is not kept.
    public let gap: Bool

    /// Reads `{"user":"alice","messages":[…],"next":"…","more":true,"gap":true}`; `nil` for anything else.
    public init?(_ body: [UInt8]) {
        let page = body.withUnsafeBytes { Self.read($0) }
        guard let page else { return nil }
        self = page
    }

    private init(messages: [Message], next: String, hasMore: Bool, gap: Bool) {
        self.messages = messages
        self.next = next
        self.hasMore = hasMore
        self.gap = gap
    }

    private static func read(_ bytes: UnsafeRawBufferPointer) -> MessagePage? {
        var reader = JSONReader(bytes)
        var messages: [Message]?
        var next: String?
        var (hasMore, gap) = (false, false)
        while let (name, value) = reader.nextMember() {
            if bytes.holds("next", at: name) { next = bytes.text(at: value) }
            if bytes.holds("more", at: name) { hasMore = bytes.holds("true", at: value) }
            if bytes.holds("gap", at: name) { gap = bytes.holds("true", at: value) }
            guard bytes.holds("messages", at: name) else { continue }
            var read: [Message] = []
            var elements = JSONReader(bytes, value)
            while let element = elements.nextElement() {
                guard case .message(let message) = StreamItem.read(bytes, element) else { return nil }
                read.append(message)
            }
            messages = read
        }
        guard let messages, let next else { return nil }
        return MessagePage(messages: messages, next: next, hasMore: hasMore, gap: gap)
    }
}
