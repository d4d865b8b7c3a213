// Tokens and API keys, taken apart or refused byte by byte. Nothing is signed here: that is for those who have keys.
import Foundation
import RingpostWire
import Testing

@Suite struct TokenTextTests {
    private static func encoded(_ text: String) -> String { encoded(Array(text.utf8)) }

    private static func encoded(_ bytes: [UInt8]) -> String {
        Data(bytes).base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    private static func token(header: String) -> [UInt8] { Array("\(encoded(header)).\(encoded("{}")).AAAA".utf8) }

    private func error(_ token: [UInt8]) -> TokenError? {
        do throws(TokenError) {
            _ = try TokenText(token)
            return nil
        } catch {
            return error
        }
    }

    @Test func partsOfAToken() throws {
        // RFC 7515 A.1.
        let text =
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
            + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
        let token = try TokenText(Array(text.utf8))
        #expect(token.algorithm == "HS256")
        #expect(token.keyID == nil)
        #expect(token.type == "JWT")
        #expect(String(decoding: token.payload, as: UTF8.self).hasPrefix("{\"iss\":\"joe\",\r\n \"exp\":1300819380,"))
        #expect(token.signature.count == 32)
        #expect(token.signature.prefix(4) == [116, 24, 223, 180])
        #expect(
            String(decoding: token.signedBytes, as: UTF8.self) == text.prefix(while: { $0 != "." }) + "." + text.split(separator: ".")[1])
    }

    @Test(
        arguments: [
            (#"{"alg":"none"}"#, "none", nil), (#" { "\u0061lg" : "ES256" , "kid":"k\u0031" } "#, "ES256", "k1"),
            (#"{"x":{"crit":1,"alg":[]},"alg":"EdDSA","kid":""}"#, "EdDSA", ""),
        ] as [(String, String, String?)])
    func goodHeaders(header: String, algorithm: String, keyID: String?) throws {
        let token = try TokenText(Self.token(header: header))
        #expect(token.algorithm == algorithm)
        #expect(token.keyID == keyID)
    }

    @Test(
        arguments: [
            ("", .header), ("1", .header), ("[]", .header), (#"["alg"]"#, .header), (#"{"alg":"HS256"} x"#, .header),
            (#"{"alg":"HS256""#, .header),
            (#"{"alg":"HS256","\ud800":1}"#, .header), ("{}", .algorithm), (#"{"alg":""}"#, .algorithm), (#"{"alg":null}"#, .algorithm),
            (#"{"alg":["HS256"]}"#, .algorithm), (#"{"ALG":"HS256"}"#, .algorithm), (#"{"alg":"\ud800"}"#, .algorithm),
            (#"{"alg":"012345678901234567890123456789012"}"#, .algorithm), (#"{"alg":"HS256","crit":["exp"]}"#, .critical),
            (#"{"alg":"HS256","crit":null}"#, .critical), (#"{"alg":"HS256","c\u0072it":[]}"#, .critical),
            (#"{"alg":"HS256","alg":"HS256"}"#, .repeatedMember), (#"{"alg":"HS256","a":1,"\u0061":1}"#, .repeatedMember),
            (#"{"alg":"HS256","kid":1}"#, .keyID), (#"{"alg":"HS256","kid":null}"#, .keyID), (#"{"alg":"HS256","typ":true}"#, .type),
        ] as [(String, TokenError)])
    func badHeaders(header: String, expected: TokenError) {
        #expect(error(Self.token(header: header)) == expected)
    }

    @Test func boundsOfHeaders() {
        let longest = String(repeating: "k", count: TokenText.keyIDBytesMax)
        #expect(error(Self.token(header: "{\"alg\":\"HS256\",\"kid\":\"\(longest)\"}")) == nil)
        #expect(error(Self.token(header: "{\"alg\":\"HS256\",\"kid\":\"\(longest)k\"}")) == .keyID)
        let most = (1..<TokenText.headerMembersMax).map { "\"m\($0)\":0" }.joined(separator: ",")
        #expect(error(Self.token(header: "{\"alg\":\"HS256\",\(most)}")) == nil)
        #expect(error(Self.token(header: "{\"alg\":\"HS256\",\(most),\"m\":0}")) == .header)
    }

    @Test func boundsOfTokens() {
        let start = Self.encoded(#"{"alg":"HS256"}"#) + ".e30."
        let rest = TokenText.bytesMax - start.utf8.count
        #expect(rest % 4 != 1)
        let longest = Array((start + String(repeating: "A", count: rest)).utf8)
        #expect(error(longest) == nil)
        #expect(error(longest + [0x41]) == .tooLong(bytes: TokenText.bytesMax + 1))
    }

    @Test(
        arguments: [
            ("", .parts(1)), ("a", .parts(1)), ("HEAD.e30", .parts(2)), ("HEAD.e30.AAAA.", .parts(4)),
            ("HEAD.e30.AAAA.AAAA.AAAA", .parts(5)),
            ("..", .header), ("HEAD.e30=.AAAA", .encoding), ("HEAD.e30.AAA=", .encoding), ("HEAD.e30.A", .encoding),
            ("HEAD.e30.AAAAA", .encoding),
            ("HEAD.e30.AB", .encoding), ("HEAD.e30.AAB", .encoding), ("HEAD.e31.AAAA", .encoding), ("HEAD.e30.AA+A", .encoding),
            ("HEAD.e30.AA/A", .encoding), ("HEAD.e30.AAAA\n", .encoding), (" HEAD.e30.AAAA", .encoding), ("HEAD.e30.AA\u{0}A", .encoding),
            ("HEAD.e30.", nil), ("HEAD..", nil), ("HEAD.e30.AA", nil), ("HEAD.e30.AAA", nil), ("HEAD.e30.-_-_", nil),
        ] as [(String, TokenError?)])
    func forms(text: String, expected: TokenError?) {
        #expect(error(Array(text.replacing("HEAD", with: Self.encoded(#"{"alg":"HS256"}"#)).utf8)) == expected)
    }

    /// Each sequence of bytes has one spelling, and each spelling that is taken is the one.
    @Test func base64() {
        for count in 0..<20 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 * 41 + 250) }
            #expect(Base64URL.decode(Array(Self.encoded(bytes).utf8)[...]) == bytes)
        }
        let alphabet = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        for byte in UInt8.min ... .max {
            #expect((Base64URL.decode([0x41, byte, 0x41, 0x41]) != nil) == alphabet.contains(byte))
            if let decoded = Base64URL.decode([0x41, byte]) { #expect(Array(Self.encoded(decoded).utf8) == [0x41, byte]) }
        }
    }

    @Test func theSentencesDoNotRepeatTheToken() {
        let token = Array("secret.secret.secret?".utf8)
        #expect(error(token)?.message.contains("secret") == false)
    }

    // MARK: API keys

    private static let key = "rp_0123456789az_ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno-_"

    @Test func partsOfAKey() throws {
        let key = try #require(APIKeyText(Array(Self.key.utf8)))
        #expect(key.id == "0123456789az")
        #expect(String(decoding: key.secret, as: UTF8.self) == "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno-_")
    }

    /// Every other byte at every place is refused, unless the alphabet of that place has it.
    @Test func otherBytes() {
        let key = Array(Self.key.utf8)
        let ofID = Set("0123456789abcdefghijklmnopqrstuvwxyz".utf8)
        let ofSecret = ofID.union("ABCDEFGHIJKLMNOPQRSTUVWXYZ-_".utf8)
        for index in key.indices {
            for byte in UInt8.min ... .max {
                var other = key
                other[index] = byte
                let isGood = (3..<15).contains(index) ? ofID.contains(byte) : index > 15 ? ofSecret.contains(byte) : byte == key[index]
                #expect((APIKeyText(other) != nil) == isGood, "byte \(byte) at \(index)")
            }
        }
        for index in key.indices { #expect(APIKeyText(Array(key[..<index])) == nil) }
        #expect(APIKeyText(key + [0x41]) == nil)
        #expect(APIKeyText([]) == nil)
    }
}
