// A channel to listen to on a WebSocket, as the command that asks for it.
import RingpostWire

/// A channel, and where to begin.
struct ChannelStart {
    let channel: String
    /// A cursor, or "earliest"; `nil` for now.
    let since: String?
    /// With who comes and goes.
    var presence = false

    /// `{"subscribe":[{"channel":"room","since":"…"},…]}`
    static func command(_ channels: [ChannelStart]) -> [UInt8] {
        var bytes = Array("{\"subscribe\":[".utf8)
        func quoted(_ text: String) {
            var text = text
            text.withUTF8 { JSONText.appendQuoted(UnsafeRawBufferPointer($0), to: &bytes) }
        }
        for (position, start) in channels.enumerated() {
            bytes += Array(position > 0 ? ",{\"channel\":".utf8 : "{\"channel\":".utf8)
            quoted(start.channel)
            if let since = start.since {
                bytes += Array(",\"since\":".utf8)
                quoted(since)
            }
            if start.presence { bytes += Array(",\"presence\":true".utf8) }
            bytes.append(UInt8(ascii: "}"))
        }
        return bytes + Array("]}".utf8)
    }
}
