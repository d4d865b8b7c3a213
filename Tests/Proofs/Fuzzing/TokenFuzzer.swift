// Tokens and API keys, by their form: each has one spelling, so what is taken can be put together again to what came.
import RingpostWire

enum TokenFuzzer {
    static let words = [
        "eyJhbGciOiJIUzI1NiJ9", ".", "e30", "rp_0123456789ab_", "=", "-", "_", "+", "eyJhbGciOiJub25lIn0", "AA",
    ]

    static func check(_ input: UnsafeRawBufferPointer) {
        let text = Array(input)
        do throws(TokenError) {
            check(try TokenText(text), text)
        } catch {
            demand(!error.message.isEmpty && error.message.utf8.count <= 128, "\(error) says nothing")
        }
        // A header is seldom found behind its encoding, so it is also tried without.
        let encoded = spelled(text)
        demand(Base64URL.decode(encoded[...]) == text, "\(text.count) bytes are others once they are spelled")
        let wrapped = encoded + Array(".e30.AA".utf8)
        if let token = try? TokenText(wrapped) { check(token, wrapped) }
        if let key = APIKeyText(text) {
            demand(Array("rp_\(key.id)_".utf8) + key.secret == text, "a key is another one")
            demand(key.id.utf8.count == APIKeyText.idBytes && key.secret.count == APIKeyText.secretBytes, "a key of another length")
        }
    }

    private static func check(_ token: TokenText, _ text: [UInt8]) {
        demand(text.count <= TokenText.bytesMax, "a token of \(text.count) bytes")
        demand((1...32).contains(token.algorithm.utf8.count), "an algorithm of \(token.algorithm.utf8.count) bytes")
        demand(token.keyID?.utf8.count ?? 0 <= TokenText.keyIDBytesMax, "a key's id of \(token.keyID?.utf8.count ?? 0) bytes")
        let dot = [UInt8(ascii: ".")]
        demand(Array(token.signedBytes) + dot + spelled(token.signature) == text, "a signature has two spellings")
        demand(token.signedBytes.split(separator: dot[0], omittingEmptySubsequences: false).count == 2, "two dots in what is signed")
        let payload = token.signedBytes.drop { $0 != dot[0] }.dropFirst()
        demand(spelled(token.payload) == Array(payload), "a payload has two spellings")
    }

    private static func spelled(_ bytes: [UInt8]) -> [UInt8] {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        var text: [UInt8] = []
        for start in stride(from: 0, to: bytes.count, by: 3) {
            let group = bytes[start..<min(start + 3, bytes.count)]
            let word = group.reduce(0) { $0 << 8 | UInt32($1) } << UInt32(8 * (3 - group.count))
            text += (0...group.count).map { alphabet[Int(word >> UInt32(18 - 6 * $0) & 63)] }
        }
        return text
    }
}
