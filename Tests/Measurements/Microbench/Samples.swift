// What is benchmarked with: names and messages as they are in a busy cluster, the same in every run.
import HashRing
import NIOCore
import RingpostCore

enum Samples {
    static let hasher = KeyHasher(seed: SipKey(bytes: Array(0..<16)) ?? { preconditionFailure("sixteen bytes are a key") }())
    static let document = ClusterDocument(seed: hasher.seed, generation: 5)

    /// 18 bytes each.
    static let userNames = (0..<1_024).map { "user-0000000\(100_000 + $0 * 7)" }

    static func key(_ name: String, _ kind: KeyKind = .user) -> Key {
        Key(kind, trusted: Array(name.utf8), hash: hasher.hash(kind, name))
    }

    /// A JSON string of so many bytes.
    static func payload(_ bytes: Int = 128) -> [UInt8] {
        [UInt8(ascii: "\"")] + (0..<bytes - 2).map { UInt8(ascii: "a") + UInt8($0 % 26) } + [UInt8(ascii: "\"")]
    }

    static func id(_ number: UInt64) -> MessageID { MessageID(high: 0x5F0C_1122_3344_5566, low: number) }

    static func publish(to key: Key, number: UInt64, isRepeatable: Bool = false, now: Int64) -> Publish {
        Publish(
            key: key, id: id(number), isRepeatable: isRepeatable, data: payload128, deadline: now + Publish.budgetMillisecondsMax,
            publishedAt: 1_795_230_219_428_000)
    }

    static let payload128 = payload()
    /// A message as sockets get it.
    static let message = StoredMessage(
        sequence: 1_042,
        envelope: Array(
            #"{"seq":1042,"cursor":"0123456789abcdef-1042","id":"5f0c11223344556600000000000004d2","at":1795230219428,"data":"#.utf8)
            + payload128 + Array("}".utf8),
        publishedAt: 1_795_230_219_428_000)

    static let receipt = Receipt(sequence: 1_042, epoch: 4_711, owner: "n2", outcome: .delivered, mirrored: true, id: id(1_234))

    static func members(_ count: Int, weight: (Int) -> UInt16 = { _ in 100 }) -> [RingMember] {
        (1...count).map { RingMember(id: "n\($0)", weight: weight($0)) }
    }

    static func member(_ identity: MemberIdentity, weight: UInt16 = 100) -> Member {
        Member(
            id: identity.id, boot: identity.boot, weight: weight, protocolVersion: 1, client: "\(identity.id).test:1",
            api: "\(identity.id).test:2", link: "\(identity.id).test:3")
    }
}
