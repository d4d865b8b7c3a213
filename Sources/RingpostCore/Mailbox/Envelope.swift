// The text that every socket gets for a message.

package enum Envelope {
    /// `{"seq":42,"cursor":"…","id":"…","at":1700000000000,"data":…}`: one text frame, one event, one element of a poll's answer. A
    /// channel's message names it: `…,"channel":"room","data":…`, and one whose sender is named that: `…,"from":{"user":"bob"},"data":…`.
    package static func encode(
        _ key: Key, sequence: UInt64, incarnation: UInt64, id: MessageID, at wallMilliseconds: Int64, from: [UInt8], data: [UInt8]
    ) -> [UInt8] {
        let at = UInt64(max(0, wallMilliseconds))
        var bytes: [UInt8] = []
        // Exactly, because histories keep it: what is too much is kept too.
        let numbers = 2 * decimalDigits(sequence) + decimalDigits(at)
        let channelBytes = key.kind == .channel ? 13 + escapedLength(key.name) : 0
        bytes.reserveCapacity(91 + numbers + data.count + channelBytes + (from.isEmpty ? 0 : 8 + from.count))
        appendStart(sequence: sequence, incarnation: incarnation, id: id, to: &bytes)
        bytes.append(decimal: at)
        appendChannel(key, to: &bytes)
        if !from.isEmpty {
            bytes.append(text: ",\"from\":")
            bytes.append(contentsOf: from)
        }
        bytes.append(text: ",\"data\":")
        bytes.append(contentsOf: data)
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    /// What an envelope begins with, up to the time: all of it follows from the message's place and its id.
    static func appendStart(sequence: UInt64, incarnation: UInt64, id: MessageID, to bytes: inout [UInt8]) {
        bytes.append(text: "{\"seq\":")
        bytes.append(decimal: sequence)
        bytes.append(text: ",\"cursor\":\"")
        Cursor(incarnation: incarnation, sequence: sequence).append(to: &bytes)
        bytes.append(text: "\",\"id\":\"")
        id.append(to: &bytes)
        bytes.append(text: "\",\"at\":")
    }

    /// What follows on the time: a channel's name.
    static func appendChannel(_ key: Key, to bytes: inout [UInt8]) {
        if key.kind != .channel { return }
        bytes.append(text: ",\"channel\":\"")
        bytes.append(name: key.name)
        bytes.append(UInt8(ascii: "\""))
    }

    private static func decimalDigits(_ number: UInt64) -> Int {
        var (digits, rest) = (1, number)
        while rest >= 10 { (digits, rest) = (digits + 1, rest / 10) }
        return digits
    }

    private static func escapedLength(_ name: [UInt8]) -> Int {
        name.reduce(name.count) { $1 == UInt8(ascii: "\"") || $1 == UInt8(ascii: "\\") ? $0 + 1 : $0 }
    }
}
