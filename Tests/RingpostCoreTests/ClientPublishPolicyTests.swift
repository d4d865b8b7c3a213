// What clients may publish: nothing, unless it is opened.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct ClientPublishPolicyTests {
    private static func key(_ kind: KeyKind, _ name: String) throws -> Key {
        let seed = try #require(SipKey(bytes: [UInt8](0..<16)))
        return try Key(kind, name: Array(name.utf8), hasher: KeyHasher(seed: seed))
    }

    private static func allowed(_ policy: ClientPublishPolicy) throws -> [String] {
        var allowed: [String] = []
        for name in ["game", "game:42", "game:42:moves", "gamer", "ga", "*", ":", "other:game"] {
            if policy.allows(try key(.channel, name)) { allowed.append(name) }
            if policy.allows(try key(.user, name)) { allowed.append("@" + name) }
        }
        return allowed
    }

    @Test func nothingUnlessItIsOpened() throws { #expect(try Self.allowed(ClientPublishPolicy()).isEmpty) }

    @Test func aNamespaceHasAllBelowIt() throws {
        #expect(try Self.allowed(ClientPublishPolicy(channels: ["game"], users: false)) == ["game", "game:42", "game:42:moves"])
        #expect(try Self.allowed(ClientPublishPolicy(channels: ["game:42", "ga"], users: false)) == ["game:42", "game:42:moves", "ga"])
    }

    @Test func aStarIsEveryChannelAndNoUser() throws {
        let names = try Self.allowed(ClientPublishPolicy(channels: ["*"], users: false))
        #expect(names.count == 8 && !names.contains { $0.hasPrefix("@") })
    }

    @Test func usersAreOpenedByThemselves() throws {
        let names = try Self.allowed(ClientPublishPolicy(channels: [], users: true))
        #expect(names.count == 8 && names.allSatisfy { $0.hasPrefix("@") })
    }
}

@Suite struct TokenBucketTests {
    @Test func takesABurstAndThenTheRate() {
        var bucket = TokenBucket(ratePerSecond: 10, burst: 3)
        let first = (0..<5).map { _ in bucket.take(now: 1_000) }
        #expect(first == [true, true, true, false, false])
        let after = [1_099, 1_100, 1_150, 1_200, 1_100].map { bucket.take(now: $0) }
        #expect(after == [false, true, false, true, false], "also when time seems to go back")
        let full = (0..<5).map { _ in bucket.take(now: 100_000) }
        #expect(full == [true, true, true, false, false], "it holds no more than the burst")
    }
}
