// Events that a client gets besides messages: JSON objects with an `event` where a message has a `seq`.
import RingpostCore
import RingpostWire

enum ControlEvent {
    /// The client begins here.
    case attached
    /// The history did not reach back to the client's cursor: it goes on here.
    case gap
    /// The client has left a channel.
    case unsubscribed

    var name: String { "\(word)" }

    private var word: StaticString {
        switch self {
        case .attached: "attached"
        case .gap: "gap"
        case .unsubscribed: "unsubscribed"
        }
    }

    /// `{"event":"attached","cursor":"…"}`, and of a channel `{"event":"attached","channel":"room","cursor":"…"}`.
    func json(_ key: Key, _ cursor: Cursor?) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(96)
        bytes.append(text: "{\"event\":\"")
        bytes.append(text: word)
        bytes.append(text: "\"")
        if key.kind == .channel {
            bytes.append(text: ",\"channel\":")
            key.name.withUnsafeBytes { JSONText.appendQuoted($0, to: &bytes) }
        }
        if let cursor {
            bytes.append(text: ",\"cursor\":\"")
            cursor.append(to: &bytes)
            bytes.append(text: "\"")
        }
        bytes.append(text: "}")
        return bytes
    }

    /// `{"event":"expiring","expires":1795230219000}`: the client's token is good until then, in milliseconds since 1970.
    static func expiring(_ expires: Int64) -> [UInt8] { Array("{\"event\":\"expiring\",\"expires\":\(expires)}".utf8) }

    /// `{"event":"renewed","expires":1795230219000}`
    static func renewed(_ expires: Int64) -> [UInt8] { Array("{\"event\":\"renewed\",\"expires\":\(expires)}".utf8) }

    /// `{"event":"receipt","ref":7,"receipt":{…}}`
    static func receipt(_ receipt: Receipt, key: Key, reference: [UInt8]?) -> [UInt8] {
        var bytes = Array("{\"event\":\"receipt\"".utf8)
        append(reference, to: &bytes)
        bytes.append(text: ",\"receipt\":")
        receipt.appendJSON(key: key, to: &bytes)
        bytes.append(text: "}")
        return bytes
    }

    /// `{"event":"presence","channel":"room","subscribers":3,"users":["alice","bob"]}`: who is there.
    static func presence(_ channel: Key, _ board: PresenceBoard) -> SharedFrames {
        users("presence", channel, board.everybody, subscribers: board.subscribers)
    }

    /// `{"event":"join","channel":"room","users":["bob"]}`
    static func join(_ channel: Key, _ joined: [[UInt8]]) -> SharedFrames { users("join", channel, joined) }

    /// `{"event":"leave","channel":"room","users":["bob"]}`
    static func leave(_ channel: Key, _ left: [[UInt8]]) -> SharedFrames { users("leave", channel, left) }

    private static func users(_ event: StaticString, _ channel: Key, _ users: [[UInt8]], subscribers: UInt32? = nil) -> SharedFrames {
        var bytes = Array("{\"event\":\"\(event)\",\"channel\":".utf8)
        channel.name.withUnsafeBytes { JSONText.appendQuoted($0, to: &bytes) }
        if let subscribers {
            bytes.append(text: ",\"subscribers\":")
            bytes.append(decimal: UInt64(subscribers))
        }
        bytes.append(text: ",\"users\":[")
        for (index, user) in users.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            user.withUnsafeBytes { JSONText.appendQuoted($0, to: &bytes) }
        }
        bytes.append(text: "]}")
        return SharedFrames(bytes, event: "\(event)")
    }

    private static func append(_ reference: [UInt8]?, to bytes: inout [UInt8]) {
        guard let reference else { return }
        bytes.append(text: ",\"ref\":")
        bytes.append(contentsOf: reference)
    }

    /// `{"event":"error","error":{"code":"bad_name","message":"…"}}`; with the channel that it is about, or what the client called its
    /// message, if it is about one.
    static func error(_ code: String, _ message: String, channel: String? = nil, reference: [UInt8]? = nil) -> [UInt8] {
        var bytes = Array("{\"event\":\"error\"".utf8)
        if let channel {
            bytes.append(text: ",\"channel\":")
            JSONText.appendQuoted(channel, to: &bytes)
        }
        append(reference, to: &bytes)
        appendError(code, message, to: &bytes)
        bytes.append(text: "}")
        return bytes
    }

    /// The data of an event stream's `close`: `{"code":"try_later","advice":"resume","after":1200}`; of one that could not be opened also
    /// `"error":{"code":"too_many_sockets","message":"…"}`.
    static func close(_ disconnect: Disconnect, because report: ProblemReport?) -> [UInt8] {
        var bytes = disconnect.json
        guard let report else { return bytes }
        bytes.removeLast()
        appendError(report.problem.code, report.message, to: &bytes)
        bytes.append(text: "}")
        return bytes
    }

    private static func appendError(_ code: String, _ message: String, to bytes: inout [UInt8]) {
        bytes.append(text: ",\"error\":{\"code\":\"")
        bytes.append(contentsOf: code.utf8)
        bytes.append(text: "\",\"message\":")
        JSONText.appendQuoted(message, to: &bytes)
        bytes.append(text: "}")
    }
}
