// What a client is told besides messages, as JSON objects with an `event` where a message has a `seq`.
import RingpostCore

enum ControlEvent {
    static func attached(_ cursor: Cursor) -> [UInt8] { event("attached", cursor) }
    static func gap(_ cursor: Cursor) -> [UInt8] { event("gap", cursor) }

    /// Clients can't send anything but control frames yet.
    static let unsupported = Array(
        #"{"event":"error","error":{"code":"unsupported","message":"this node takes no messages from clients"}}"#.utf8)

    private static func event(_ name: StaticString, _ cursor: Cursor) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(text: "{\"event\":\"")
        bytes.append(text: name)
        bytes.append(text: "\",\"cursor\":\"")
        cursor.append(to: &bytes)
        bytes.append(text: "\"}")
        return bytes
    }
}
