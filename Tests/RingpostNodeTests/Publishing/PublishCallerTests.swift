// Who publishes: whose idempotency keys are the same, with whose names are counted, and what messages say of their sender.
import HashRing
import RingpostCore
import Testing

@testable import RingpostNode

@Suite struct PublishCallerTests {
    private static let hasher = seeded(7)

    private static func seeded(_ byte: UInt8) -> KeyHasher {
        KeyHasher(seed: SipKey(bytes: Array(repeating: byte, count: 16)) ?? { preconditionFailure("sixteen bytes are a key") }())
    }

    private static let alice = Key(.user, trusted: Array("alice".utf8), hash: hasher.hash(.user, "alice"))

    private static func key(_ id: String, named: Bool? = nil) -> PublishCaller {
        .apiKey(APIGrant(APIKeyRecord(id: id, hash: "", scopes: [.publishUsers], named: named)))
    }

    private static func client(_ user: String?, at address: String = "192.0.2.1") -> PublishCaller {
        let grant = ClientGrant(
            user: user.map { Array($0.utf8) }, subscribe: .all, presence: .all, publish: .all, publishUsers: .all, expires: nil)
        return .client(grant, SourceAddress(address), from: SenderText.nobody)
    }

    private static func id(_ caller: PublishCaller, _ idempotencyKey: String = "k", hasher: KeyHasher = hasher) -> MessageID? {
        let scope = caller.scope(of: caller.principal(hasher: hasher), hasher: hasher)
        return Array(idempotencyKey.utf8).withUnsafeBytes { MessageID(repeatableBy: $0, of: scope, to: alice, hasher: hasher) }
    }

    @Test func idempotencyKeysAreTheirPublishers() {
        let callers = [
            .apiKey(.all), Self.key("a"), Self.key("b"), Self.client("a"), Self.client("b"), Self.client(nil),
        ]
        let ids = callers.map { Self.id($0) }
        #expect(Set(ids).count == callers.count && !ids.contains(nil), "nobody's key is another one's")
        #expect(callers.map { Self.id($0) } == ids, "and a second try is the first one again")
        #expect(callers.allSatisfy { Self.id($0, "") == nil })
    }

    @Test func aClientMayTryAgainFromAnotherPlace() {
        for user in ["a", nil] {
            #expect(Self.id(Self.client(user, at: "192.0.2.1")) == Self.id(Self.client(user, at: "198.51.100.7")))
        }
    }

    @Test func namesAreCountedWithTheirWriters() {
        func principal(_ caller: PublishCaller) -> Principal { caller.principal(hasher: Self.hasher) }
        #expect(principal(.apiKey(.all)).isUnnamed)
        #expect(!principal(Self.key("a")).isClient && principal(Self.client("a")).isClient && principal(Self.client(nil)).isClient)
        #expect(principal(Self.client(nil)) != principal(Self.client(nil, at: "192.0.2.2")))
        #expect(principal(Self.client(nil, at: "2001:db8::1")) == principal(Self.client(nil, at: "2001:db8::2")))
        #expect(principal(Self.client("a")) == principal(Self.client("a", at: "192.0.2.2")))
        let local = PublishCaller.client(.open(publish: .all, publishUsers: .all), nil, from: SenderText.nobody)
        #expect(principal(local).isUnnamed, "all of this machine would share one budget")
        #expect(Self.id(local) == Self.id(Self.client(nil)), "and an idempotency key is that of any client that nobody asked")
        let other = Self.seeded(8)
        #expect(Self.key("a").principal(hasher: other) != principal(Self.key("a")), "nobody can look for one with a certain number")
    }

    @Test func onlyWhoIsToBeNamedIs() {
        #expect(PublishCaller.apiKey(.all).from.isEmpty && Self.key("a").from.isEmpty && Self.key("a", named: false).from.isEmpty)
        #expect(Self.key("a", named: true).from == Array(#"{"key":"a"}"#.utf8))
        #expect(SenderText.user(Array("q\"\\é".utf8)) == Array(#"{"user":"q\"\\é"}"#.utf8))
        let longest = SenderText.user(Array(repeating: UInt8(ascii: "\""), count: Key.userBytesMax))
        #expect(longest.count <= SenderText.bytesMax)
    }
}
