// The links' secret, as it stands in its file: one line, or two while it is being replaced. Give all nodes "old, new", then "new, old",
// then "new" alone: at each step every node accepts what every other one proves with.
import Crypto
import RingpostWire

enum LinkSecretFile {
    static func read(_ path: String) throws(NodeError) -> LinkSecrets {
        let bytes = try CredentialFile.read(path, "the link secret", option: "--link-secret-file")
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(trimmed)
        let secrets = lines.last?.isEmpty == true ? lines.dropLast() : lines[...]
        guard (1...LinkSecrets.countMax).contains(secrets.count) else {
            throw NodeError(
                "the link secret in \(path) has \(secrets.count) lines: the first is used, a second is accepted as well, no more")
        }
        for secret in secrets where secret.count < LinkSecrets.bytesMin {
            throw NodeError(
                "the link secret in \(path) has a line of \(secret.count) bytes, at least \(LinkSecrets.bytesMin) are needed: "
                    + "openssl rand -hex 32 > \(path)")
        }
        return LinkSecrets(Array(secrets), code: code)
    }

    /// Files that were edited elsewhere end their lines in two characters.
    private static func trimmed(_ line: ArraySlice<UInt8>) -> [UInt8] {
        Array(line.last == UInt8(ascii: "\r") ? line.dropLast() : line)
    }

    static let code: LinkSecrets.Code = { secret, message in
        Array(HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: secret)))
    }
}

extension LinkNonce {
    /// From the system's own source: a nonce that can be foreseen would let a proof be prepared.
    static func fresh() -> LinkNonce {
        LinkNonce((.random(in: 0 ... .max), .random(in: 0 ... .max), .random(in: 0 ... .max), .random(in: 0 ... .max)))
    }
}
