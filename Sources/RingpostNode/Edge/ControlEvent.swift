// What a client is told besides messages, as JSON objects with an `event` where a message has a `seq`.
import RingpostCore
import RingpostWire

enum ControlEvent {
    /// The client begins here.
    case attached
    /// The history did not reach back to the client's cursor: it goes on here.
    case gap
    /// The client has left a channel.
    case unsubscribed

    var name: String {
        switch self {
        case .attached: "attached"
        case .gap: "gap"
        case .unsubscribed: "unsubscribed"
        }
    }

    /// `{"event":"attached","cursor":"…"}`, and of a channel `{"event":"attached","channel":"room","cursor":"…"}`.
    func json(_ key: Key, _ cursor: Cursor?) -> [UInt8] {
        var bytes = Array("{\"event\":\"\(name)\"".utf8)
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

    /// `{"event":"error","error":{"code":"bad_name","message":"…"}}`; with the channel that it is about, if it is about one.
    static func error(_ code: String, _ message: String, channel: String? = nil) -> [UInt8] {
        var bytes = Array("{\"event\":\"error\"".utf8)
        func quoted(_ text: String) {
            var text = text
            text.withUTF8 { JSONText.appendQuoted(UnsafeRawBufferPointer($0), to: &bytes) }
        }
        if let channel {
            bytes.append(text: ",\"channel\":")
            quoted(channel)
        }
        bytes.append(text: ",\"error\":{\"code\":\"")
        bytes.append(contentsOf: code.utf8)
        bytes.append(text: "\",\"message\":")
        quoted(message)
        bytes.append(text: "}}")
        return bytes
    }
}
