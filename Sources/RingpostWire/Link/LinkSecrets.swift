// How two nodes prove to each other that they know the cluster's link secret, without sending it: each answers the other's fresh random
// bytes with a code (HMAC-SHA256, RFC 2104) over them and over everything that the hello claims. This decides who may join a
// conversation, and nothing else: the bytes that follow are neither hidden nor protected against someone who sits on the
// network between the two. Where others can touch the network, use TLS.
import NIOCore

/// Random bytes that are used once.
public struct LinkNonce: Hashable, Sendable {
    /// Of a nonce.
    public static let byteCount = 32
    /// From those who are not asked to prove anything.
    public static let none = LinkNonce(checked: [UInt8](repeating: 0, count: byteCount))

    /// Exactly ``byteCount``.
    public let bytes: [UInt8]

    /// `nil` unless there are ``byteCount`` bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    /// From four random numbers.
    public init(_ words: (UInt64, UInt64, UInt64, UInt64)) {
        bytes = [words.0, words.1, words.2, words.3].flatMap { word in (0..<8).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
    }

    private init(checked bytes: [UInt8]) { self.bytes = bytes }

    init?(reading body: inout LinkReader) {
        guard let bytes = body.readBytes(length: Self.byteCount) else { return nil }
        self.init(bytes)
    }
}

/// What only somebody who knows the secret can compute.
public struct LinkProof: Hashable, Sendable {
    /// Of an HMAC-SHA256.
    public static let byteCount = 32

    /// Exactly ``byteCount``.
    public let bytes: [UInt8]

    /// `nil` unless there are ``byteCount`` bytes.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    init?(reading body: inout LinkReader) {
        guard let bytes = body.readBytes(length: Self.byteCount) else { return nil }
        self.init(bytes)
    }

    /// In a time that does not depend on where they differ, which would let a proof be found byte by byte.
    func isSame(as other: LinkProof) -> Bool { zip(bytes, other.bytes).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0 }
}

/// The secrets that a node's links have just now.
public struct LinkSecrets: Sendable {
    /// Shorter ones could be guessed from what is heard of a handshake.
    public static let bytesMin = 32
    /// The one in use, and one that is on its way in or out.
    public static let countMax = 2

    /// Computes an HMAC-SHA256 over the message with the secret as its key.
    public typealias Code = @Sendable (_ secret: [UInt8], _ message: [UInt8]) -> [UInt8]

    /// Whose word a proof is: a proof that one side has given must be worth nothing as the other's.
    public enum Side: Sendable {
        case accepting
        case dialling

        fileprivate var label: String {
            switch self {
            case .accepting: "ringpost link 4: accepting\n"
            case .dialling: "ringpost link 4: dialling\n"
            }
        }
    }

    private let secrets: [[UInt8]]
    private let code: Code

    /// - Parameter secrets: one or two; the first is what this node proves with, all of them are accepted.
    public init(_ secrets: [[UInt8]], code: @escaping Code) {
        precondition((1...Self.countMax).contains(secrets.count), "links with \(secrets.count) secrets")
        self.secrets = secrets
        self.code = code
    }

    /// This node's proof about a hello and the accepting side's nonce.
    public func proof(_ side: Side, _ hello: LinkHello, _ nonce: LinkNonce) -> LinkProof {
        proof(side, hello, nonce, secrets[0])
    }

    /// Whether the other side knows one of the secrets.
    public func accepts(_ proof: LinkProof, _ side: Side, _ hello: LinkHello, _ nonce: LinkNonce) -> Bool {
        secrets.contains { self.proof(side, hello, nonce, $0).isSame(as: proof) }
    }

    private func proof(_ side: Side, _ hello: LinkHello, _ nonce: LinkNonce, _ secret: [UInt8]) -> LinkProof {
        var transcript = ByteBuffer()
        transcript.writeString(side.label)
        LinkEncoder.write(hello, into: &transcript)
        transcript.writeBytes(nonce.bytes)
        guard let proof = LinkProof(code(secret, Array(transcript.readableBytesView))) else {
            preconditionFailure("a code that is no HMAC-SHA256")
        }
        return proof
    }
}
