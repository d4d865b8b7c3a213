// What the three transports say, read into one form. The payload stays the bytes that it was.
import RingpostCore

/// One thing that came over a subscriber's connection.
enum StreamItem: Equatable, Sendable {
    case attached(cursor: String)
    case gap(cursor: String)
    case message(Message)
    /// An event stream's wish for the pause before the next connection.
    case retry(milliseconds: Int)
    /// The connection ends here.
    case closing(Disconnect)

    /// Reads a WebSocket text frame, or the data of an event stream's message: a message, `attached` or `gap`.
    static func read(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>? = nil) -> StreamItem? {
        var reader = JSONReader(bytes, range)
        var event: String?
        var fields = MessageFields()
        while let (name, value) = reader.nextMember() {
            if bytes.holds("event", at: name) { event = bytes.text(at: value) } else { fields.take(bytes, name, value) }
        }
        switch event {
        case nil: return fields.message.map(StreamItem.message)
        case "attached": return fields.cursor.map { .attached(cursor: $0) }
        case "gap": return fields.cursor.map { .gap(cursor: $0) }
        default: return nil
        }
    }

    /// Reads the event stream's `close`: `{"code":"…","advice":"resume|stop","after":1200,"at":"host:port"}`.
    static func readClose(_ bytes: UnsafeRawBufferPointer) -> StreamItem {
        var reader = JSONReader(bytes)
        var code = "closed"
        var stops = false
        var after: Int?
        var at: [Endpoint] = []
        while let (name, value) = reader.nextMember() {
            if bytes.holds("code", at: name) { code = bytes.text(at: value) ?? code }
            if bytes.holds("advice", at: name) { stops = bytes.text(at: value) == CloseReason.Advice.stop.rawValue }
            if bytes.holds("after", at: name) { after = bytes.unsigned(at: value).map(Int.init(clamping:)) }
            if bytes.holds("at", at: name) { at = Disconnect.endpoints(bytes.text(at: value)) }
        }
        var disconnect = Disconnect(code, wishMilliseconds: after, final: stops ? .stopped(code) : nil)
        disconnect.at = at
        disconnect.isAppointment = code == CloseReason.tryLater.code
        return .closing(disconnect)
    }
}

/// A message while it is being read.
private struct MessageFields {
    var sequence: UInt64?
    var cursor: String?
    var id: String?
    var at: UInt64 = 0
    var data: [UInt8]?

    mutating func take(_ bytes: UnsafeRawBufferPointer, _ name: Range<Int>, _ value: Range<Int>) {
        if bytes.holds("data", at: name) { data = Array(bytes[value]) }
        if bytes.holds("seq", at: name) { sequence = bytes.unsigned(at: value) }
        if bytes.holds("cursor", at: name) { cursor = bytes.text(at: value) }
        if bytes.holds("id", at: name) { id = bytes.text(at: value) }
        if bytes.holds("at", at: name) { at = bytes.unsigned(at: value) ?? 0 }
    }

    var message: Message? {
        guard let sequence, let cursor, let id, let data else { return nil }
        return Message(sequence: sequence, cursor: cursor, id: id, at: Int64(clamping: at), data: data)
    }
}

/// The answer to one poll.
struct PollAnswer: Equatable, Sendable {
    var cursor: String
    var messages: [Message]
    var gap: Bool
    /// Set when the node would rather have the client elsewhere.
    var leave: Disconnect?

    /// Reads `{"cursor":"…","messages":[…],"gap":true,"retryAfterMilliseconds":1200,"at":"host:port"}`.
    init?(_ bytes: UnsafeRawBufferPointer) {
        var reader = JSONReader(bytes)
        var cursor: String?
        var leave = Disconnect(CloseReason.goingAway.code)
        messages = []
        gap = false
        while let (name, value) = reader.nextMember() {
            if bytes.holds("cursor", at: name) { cursor = bytes.text(at: value) }
            if bytes.holds("gap", at: name) { gap = bytes.holds("true", at: value) }
            if bytes.holds("retryAfterMilliseconds", at: name) {
                leave.wishMilliseconds = bytes.unsigned(at: value).map(Int.init(clamping:))
            }
            if bytes.holds("at", at: name) { leave.at = Disconnect.endpoints(bytes.text(at: value)) }
            guard bytes.holds("messages", at: name) else { continue }
            var elements = JSONReader(bytes, value)
            while let element = elements.nextElement() {
                guard case .message(let message) = StreamItem.read(bytes, element) else { return nil }
                messages.append(message)
            }
        }
        guard let cursor else { return nil }
        self.cursor = cursor
        if leave.wishMilliseconds != nil || !leave.at.isEmpty { self.leave = leave }
    }

    /// Where this answer begins: the place before its first message.
    var beginning: String {
        guard let first = messages.first, let cursor = Cursor(text: first.cursor.utf8), cursor.sequence > 0 else { return cursor }
        return Cursor(incarnation: cursor.incarnation, sequence: cursor.sequence - 1).text
    }
}
