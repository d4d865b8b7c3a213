// What the three transports say, read into one form. The payload stays the bytes that it was.
import RingpostCore

/// One thing that came over a subscriber's connection.
enum StreamItem: Equatable, Sendable {
    case attached(cursor: String)
    case gap(cursor: String)
    case listening(channel: String, cursor: String)
    case channelGap(channel: String, cursor: String)
    case message(Message)
    case present(channel: String, subscribers: Int, users: [String])
    case joined(channel: String, users: [String])
    case left(channel: String, users: [String])
    /// Where all subscriptions together can be resumed, as an event stream's id or a poll's answer says it.
    case resume(String)
    /// An event stream's wish for the pause before the next connection.
    case retry(milliseconds: Int)
    /// The client's token ends at this time, in milliseconds since 1970.
    case expiring(at: Int64)
    /// A token that was sent on the socket is not taken; the old one still holds until its end.
    case renewalRefused(String)
    /// An event that calls for nothing, or that this version does not know.
    case other
    /// The connection ends here.
    case closing(Disconnect)

    /// Whether it is what the client came for, and no farewell: who it is has been believed.
    var isService: Bool {
        switch self {
        case .attached, .gap, .listening, .channelGap, .message, .present, .joined, .left, .resume, .expiring: true
        case .retry, .renewalRefused, .other, .closing: false
        }
    }

    /// Reads a WebSocket text frame, or the data of an event stream's event: a message, `attached` or `gap`.
    ///
    /// - Parameter event: the event's name, where that stands elsewhere.
    static func read(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>? = nil, event: String? = nil) -> StreamItem? {
        var reader = JSONReader(bytes, range)
        var event = event
        var fields = MessageFields()
        while let (name, value) = reader.nextMember() {
            if bytes.holds("event", at: name) { event = bytes.text(at: value) } else { fields.take(bytes, name, value) }
        }
        switch event {
        case nil: return fields.message.map(StreamItem.message)
        case "attached":
            guard let cursor = fields.cursor else { return nil }
            return fields.channel.map { .listening(channel: $0, cursor: cursor) } ?? .attached(cursor: cursor)
        case "gap":
            guard let cursor = fields.cursor else { return nil }
            return fields.channel.map { .channelGap(channel: $0, cursor: cursor) } ?? .gap(cursor: cursor)
        case "presence": return fields.channel.map { .present(channel: $0, subscribers: fields.subscribers, users: fields.users) }
        case "join": return fields.channel.map { .joined(channel: $0, users: fields.users) }
        case "leave": return fields.channel.map { .left(channel: $0, users: fields.users) }
        case "expiring": return .expiring(at: fields.expires)
        case "error": return fields.refusesToken ? .renewalRefused(fields.refusal.reason) : .closing(fields.refusal)
        default: return .other
        }
    }

    /// Reads the event stream's `close`: `{"code":"…","advice":"resume|renew|stop","after":1200,"at":"host:port"}`.
    static func readClose(_ bytes: UnsafeRawBufferPointer) -> StreamItem {
        var reader = JSONReader(bytes)
        var code = "closed"
        var advice: String?
        var after: Int?
        var at: [Endpoint] = []
        var problem: String?
        while let (name, value) = reader.nextMember() {
            if bytes.holds("code", at: name) { code = bytes.text(at: value) ?? code }
            if bytes.holds("advice", at: name) { advice = bytes.text(at: value) }
            if bytes.holds("after", at: name) { after = bytes.unsigned(at: value).map(Int.init(clamping:)) }
            if bytes.holds("at", at: name) { at = Disconnect.endpoints(bytes.text(at: value)) }
            if bytes.holds("error", at: name) { problem = MessageFields.refusal(bytes, value).reason }
        }
        let stops = advice == CloseReason.Advice.stop.rawValue
        var disconnect = Disconnect(problem ?? code, wishMilliseconds: after, final: stops ? .stopped(code) : nil)
        disconnect.renews = advice == CloseReason.Advice.renew.rawValue
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
    var channel: String?
    var from: Message.Sender?
    var at: UInt64 = 0
    var data: [UInt8]?
    var subscribers = 0
    var users: [String] = []
    var expires: Int64 = 0
    var refusal = Disconnect("refused")
    /// The refusal is not about what the client wants to listen to, but about who it says it is.
    var refusesToken: Bool { if case .refused(Problem.unauthorized.status, _, _)? = refusal.final { channel == nil } else { false } }

    mutating func take(_ bytes: UnsafeRawBufferPointer, _ name: Range<Int>, _ value: Range<Int>) {
        if bytes.holds("data", at: name) { data = Array(bytes[value]) }
        if bytes.holds("seq", at: name) { sequence = bytes.unsigned(at: value) }
        if bytes.holds("cursor", at: name) { cursor = bytes.text(at: value) }
        if bytes.holds("id", at: name) { id = bytes.text(at: value) }
        if bytes.holds("channel", at: name) { channel = bytes.text(at: value) }
        if bytes.holds("from", at: name) { from = Self.sender(bytes, value) }
        if bytes.holds("expires", at: name) { expires = Int64(clamping: bytes.unsigned(at: value) ?? 0) }
        if bytes.holds("subscribers", at: name) { subscribers = bytes.unsigned(at: value).map(Int.init(clamping:)) ?? 0 }
        if bytes.holds("users", at: name) {
            var elements = JSONReader(bytes, value)
            while let element = elements.nextElement() { if let user = bytes.text(at: element) { users.append(user) } }
        }
        if bytes.holds("error", at: name) { refusal = Self.refusal(bytes, value) }
        if bytes.holds("at", at: name) { at = bytes.unsigned(at: value) ?? 0 }
    }

    /// `{"user":"…"}` or `{"key":"…"}`.
    private static func sender(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Message.Sender? {
        var reader = JSONReader(bytes, range)
        while let (name, value) = reader.nextMember() {
            if bytes.holds("user", at: name) { return bytes.text(at: value).map(Message.Sender.user) }
            if bytes.holds("key", at: name) { return bytes.text(at: value).map(Message.Sender.key) }
        }
        return nil
    }

    /// A command was refused: `{"code":"…","message":"…"}`. What is full may have room another time; what is wrong stays wrong.
    fileprivate static func refusal(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) -> Disconnect {
        var reader = JSONReader(bytes, range)
        var code = "refused"
        var message = ""
        while let (name, value) = reader.nextMember() {
            if bytes.holds("code", at: name) { code = bytes.text(at: value) ?? code }
            if bytes.holds("message", at: name) { message = bytes.text(at: value) ?? message }
        }
        let problem = Problem.allCases.first { $0.code == code }
        let isFinal = problem.map { $0.retryAfterSeconds == nil } ?? true
        return Disconnect(
            message.isEmpty ? code : "\(code): \(message)",
            final: isFinal ? .refused(status: problem?.status ?? 400, code: code, message: message) : nil)
    }

    var message: Message? {
        guard let sequence, let cursor, let id, let data else { return nil }
        return Message(
            channel: channel, from: from, sequence: sequence, cursor: cursor, id: id, at: Int64(clamping: at), data: data)
    }
}

/// The answer to one poll.
struct PollAnswer: Equatable, Sendable {
    var cursor: String
    var messages: [Message]
    var gap: Bool
    /// Channels whose history did not reach back.
    var channelGaps: [String] = []
    /// When the client's token ends, in milliseconds since 1970, if that is soon.
    var expiring: Int64?
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
            if bytes.holds("gaps", at: name) {
                var names = JSONReader(bytes, value)
                while let element = names.nextElement() { if let name = bytes.text(at: element) { channelGaps.append(name) } }
            }
            if bytes.holds("expiring", at: name) { expiring = bytes.unsigned(at: value).map(Int64.init(clamping:)) }
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

    /// What it tells, in this order: a gap comes before what follows it.
    ///
    /// - Parameter isFirst: nothing has been told on this connection.
    func items(isFirst: Bool) -> [StreamItem] {
        var items: [StreamItem] = [.resume(cursor)]
        if gap {
            items.append(.gap(cursor: beginning(of: nil)))
        } else if isFirst {
            items.append(.attached(cursor: beginning(of: nil)))
        }
        items += channelGaps.map { .channelGap(channel: $0, cursor: beginning(of: $0)) }
        items += messages.map(StreamItem.message)
        if let expiring { items.append(.expiring(at: expiring)) }
        if let leave { items.append(.closing(leave)) }
        return items
    }

    /// Where this answer begins for a channel, or for the user: the place before the first message.
    private func beginning(of channel: String?) -> String {
        let first = messages.first { $0.channel == channel }
        guard let first = first.flatMap({ Cursor(text: $0.cursor.utf8) }), first.sequence > 0 else { return cursor }
        return Cursor(incarnation: first.incarnation, sequence: first.sequence - 1).text
    }
}
