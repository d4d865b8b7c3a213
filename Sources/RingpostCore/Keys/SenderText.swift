// The member `from` of a message: who sent it, as a node knows it from a token or an API key. Encoded once for many messages; nothing that
// a publisher writes gets in here.

/// Makes the text of `from`.
public enum SenderText {
    /// More than any id takes, all of its characters escaped.
    public static let bytesMax = 1_024
    /// Of a publisher that is not named.
    public static let nobody: [UInt8] = []

    /// `{"user":"alice"}`: a client whose token names a user.
    public static func user(_ id: [UInt8]) -> [UInt8] { object("user", id) }

    /// `{"key":"4fjq0c2m8x1z"}`: a producer whose key says that it is to be named. No user can look like it.
    public static func key(_ id: String) -> [UInt8] { object("key", Array(id.utf8)) }

    private static func object(_ member: StaticString, _ id: [UInt8]) -> [UInt8] {
        var text: [UInt8] = []
        text.append(text: "{\"")
        text.append(text: member)
        text.append(text: "\":\"")
        text.append(name: id)
        text.append(text: "\"}")
        return text
    }
}

extension [UInt8] {
    /// A valid name inside a JSON string: it holds no control character, so nothing else has to be escaped.
    mutating func append(name: [UInt8]) {
        for byte in name {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { append(UInt8(ascii: "\\")) }
            append(byte)
        }
    }
}
