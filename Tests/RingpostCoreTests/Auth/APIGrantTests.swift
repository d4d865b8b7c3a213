// What a producer's or operator's key may do, by the line that it has in the file of keys.

import HashRing
import Testing

@testable import RingpostCore

@Suite struct APIGrantTests {
    private static let hash = "sha256:" + String(repeating: "0a", count: 32)

    private static func record(
        _ scopes: [APIScope], id: String = "abc", hash: String = hash, names: [String]? = nil, expires: Int64? = nil, rate: Int? = nil
    ) -> APIKeyRecord {
        APIKeyRecord(id: id, hash: hash, scopes: scopes, names: names, expires: expires, rate: rate)
    }

    /// What it may do, as words.
    private static func rights(_ grant: APIGrant, _ name: String) -> Set<String> {
        let bytes = Array(name.utf8)
        let all: [(String, Bool)] = [
            ("user", grant.allowsPublish(.user, bytes)), ("channel", grant.allowsPublish(.channel, bytes)),
            ("read", grant.allowsReading(bytes)), ("read all", grant.allowsReadingAll), ("publish", grant.allowsPublishing),
            ("order", grant.allowsOrders), ("order some", grant.allowsSomeOrders), ("order about", grant.allowsOrders(about: bytes)),
            ("history", grant.allowsHistory(bytes)),
        ]
        return Set(all.filter(\.1).map(\.0))
    }

    @Test func eachScopeIsForItselfAlone() {
        #expect(Self.rights(APIGrant(Self.record([.publishUsers])), "a") == ["user", "publish"])
        #expect(Self.rights(APIGrant(Self.record([.publishChannels])), "a") == ["channel", "publish"])
        #expect(Self.rights(APIGrant(Self.record([.read])), "a") == ["read", "read all"])
        #expect(Self.rights(APIGrant(Self.record([.administer])), "a") == ["order", "order some", "order about"])
        #expect(Self.rights(APIGrant(Self.record([.history])), "a") == ["history"])
        #expect(Self.rights(APIGrant(Self.record([])), "a").isEmpty)
        #expect(Self.rights(.all, "a").count == 9)
    }

    @Test func namesLimitAllOfThem() {
        let grant = APIGrant(Self.record(APIScope.allCases, names: ["game:*", "lobby"]))
        #expect(Self.rights(grant, "game:1") == ["user", "channel", "read", "publish", "order some", "order about", "history"])
        #expect(Self.rights(grant, "lobby") == ["user", "channel", "read", "publish", "order some", "order about", "history"])
        #expect(Self.rights(grant, "lobby2") == ["publish", "order some"], "who is limited orders and learns nothing of the whole")
        #expect(Self.rights(APIGrant(Self.record(APIScope.allCases, names: [])), "a") == ["publish", "order some"])
        #expect(Self.rights(APIGrant(Self.record(APIScope.allCases, names: ["*"])), "a").count == 9)
    }

    @Test func itEndsAtItsSecond() {
        let grant = APIGrant(Self.record([.read], expires: 100))
        #expect(!grant.isOver(nowSeconds: 99) && grant.isOver(nowSeconds: 100))
        #expect(!APIGrant(Self.record([.read])).isOver(nowSeconds: .max))
        #expect(!APIGrant.all.isOver(nowSeconds: .max))
    }

    @Test func whatIsWrongIsSaid() {
        #expect(Self.record([.read]).fault == nil)
        for hash in [
            "", "md5:1", String(Self.hash.dropLast()), Self.hash + "0", Self.hash.uppercased(), String(Self.hash.dropLast()) + "g",
        ] {
            #expect(Self.record([.read], hash: hash).fault?.contains("hash") == true, "\(hash)")
        }
        #expect(Self.record([.read], id: "").fault?.contains("id") == true)
        #expect(Self.record([.read], id: String(repeating: "a", count: 65)).fault?.contains("id") == true)
        #expect(Self.record([.read], names: [""]).fault?.contains("names") == true)
        #expect(Self.record([.read], names: (0...NamePatterns.countMax).map { "\($0)" }).fault?.contains("names") == true)
        #expect(Self.record([.read], rate: 0).fault?.contains("rate") == true)
    }

    @Test func scopesAreCalledAsInTheFile() {
        #expect(APIScope.allCases.map(\.rawValue) == ["publish-users", "publish-channels", "read", "history", "administer"])
    }
}
