// Who may do what in a run: hosts of their own are no loopback, so the nodes believe nobody who does not bring a token, a key or the links'
// secret. Made anew for each run.

import Crypto
import Foundation
import JWTKit
import RingpostClient

struct Credentials: Sendable {
    private struct Claims: JWTPayload {
        let sub: SubjectClaim
        let exp: ExpirationClaim
        let subscribe: [String]

        func verify(using algorithm: some JWTAlgorithm) throws {}
    }

    /// Longer than a run.
    private static let tokenSeconds = 43_200.0

    /// The options with which nodes are started.
    let nodeOptions: [String]
    /// For whoever publishes and asks.
    let apiKey: String
    private let keys: JWTKeyCollection

    /// - Parameter folder: where the files go that nodes read.
    init(folder: String) async throws {
        let secret = Self.random()
        keys = await JWTKeyCollection().add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
        let (id, word) = (String(Self.random().lowercased().filter { $0.isLetter || $0.isNumber }.prefix(12)), Self.random())
        apiKey = "rp_\(id)_\(word)"
        let hash = SHA256.hash(data: Data(word.utf8)).map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
        let record = #"{"id":"\#(id)","hash":"sha256:\#(hash)","scopes":["publish-users","publish-channels","read","administer"]}"#
        let contents = ["link-secret": Self.random(), "tokens.hs256": secret, "api-keys": record]
        for (name, text) in contents {
            let isWritten = FileManager.default.createFile(
                atPath: "\(folder)/\(name)", contents: Data((text + "\n").utf8), attributes: [.posixPermissions: 0o600])
            guard isWritten else { throw TortureError("can't write \(folder)/\(name)") }
        }
        nodeOptions = [
            "--link-secret-file", "\(folder)/link-secret", "--token-keys", "\(folder)/tokens.hs256", "--api-keys", "\(folder)/api-keys",
            // Hosts of their own, and a ZooKeeper that nobody else reaches.
            "--zookeeper-open",
            // All clients come from few addresses, and are not to be counted by them.
            "--limit", "sockets-per-address=1000000", "--limit", "connections-per-address=1000000", "--limit",
            "connect-rate-per-address=1000000",
        ]
    }

    /// For one who listens as this user, and to any channel.
    func token(of user: String) -> TokenSource {
        let keys = keys
        return TokenSource {
            let ends = ExpirationClaim(value: Date(timeIntervalSinceNow: Self.tokenSeconds))
            return try await keys.sign(Claims(sub: SubjectClaim(value: user), exp: ends, subscribe: ["*"]))
        }
    }

    /// 32 random bytes in 43 characters.
    private static func random() -> String {
        Data((0..<32).map { _ in UInt8.random(in: .min ... .max) }).base64EncodedString()
            .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}
