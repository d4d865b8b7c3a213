// What a client may do by what its token says, and for how long.

import HashRing
import Testing

@testable import RingpostCore

@Suite struct ClientGrantTests {
    private let hasher: KeyHasher

    init() throws { hasher = KeyHasher(seed: try #require(SipKey(bytes: [UInt8](0..<16)))) }

    private func user(_ name: String) throws -> Key { try Key(.user, name: Array(name.utf8), hasher: hasher) }
    private func channel(_ name: String) throws -> Key { try Key(.channel, name: Array(name.utf8), hasher: hasher) }

    private static func grant(expires: Int64? = 100) throws -> ClientGrant {
        ClientGrant(
            user: Array("alice".utf8), subscribe: try #require(NamePatterns(["room", "game:*"])),
            presence: try #require(NamePatterns(["room"])), publish: try #require(NamePatterns(["talk"])),
            publishUsers: try #require(NamePatterns(["bob"])), expires: expires)
    }

    @Test func oneListensToOneselfAndToWhatIsGranted() throws {
        let grant = try Self.grant()
        #expect(grant.allowsSubscribe(to: try user("alice")))
        #expect(!grant.allowsSubscribe(to: try user("bob")), "whom one may write to one may not read")
        #expect(!grant.allowsSubscribe(to: try user("room")), "a channel's name is no user's")
        #expect(grant.allowsSubscribe(to: try channel("room")))
        #expect(grant.allowsSubscribe(to: try channel("game:1")))
        #expect(!grant.allowsSubscribe(to: try channel("talk")))
        #expect(!grant.allowsSubscribe(to: try channel("alice")))
    }

    @Test func onePublishesOnlyWhatIsGranted() throws {
        let grant = try Self.grant()
        #expect(grant.allowsPublish(to: try channel("talk")))
        #expect(try !grant.allowsHistory(of: user("alice")) && !grant.allowsHistory(of: channel("talk")), "a grant of its own")
        #expect(!grant.allowsPublish(to: try channel("room")))
        #expect(!grant.allowsPublish(to: try channel("bob")))
        #expect(grant.allowsPublish(to: try user("bob")))
        #expect(!grant.allowsPublish(to: try user("talk")))
        #expect(!grant.allowsPublish(to: try user("alice")))
    }

    @Test func itEndsAtItsSecond() throws {
        let grant = try Self.grant()
        #expect(!grant.isOver(nowSeconds: 99) && grant.isOver(nowSeconds: 100) && grant.isOver(nowSeconds: 101))
        #expect(try !Self.grant(expires: nil).isOver(nowSeconds: .max))
    }

    @Test func whereNobodyIsAskedAllMayListen() throws {
        let grant = ClientGrant.open(publish: try #require(NamePatterns(["talk"])), publishUsers: .none)
        // With the cursor "earliest" they hear all of it anyway.
        #expect(try grant.allowsHistory(of: user("anybody")) && grant.allowsHistory(of: channel("any")))
        #expect(try grant.allowsSubscribe(to: user("anybody")) && grant.allowsSubscribe(to: channel("any")))
        #expect(grant.allowsPublish(to: try channel("talk")))
        #expect(try !grant.allowsPublish(to: channel("any")) && !grant.allowsPublish(to: user("talk")))
        #expect(!grant.isOver(nowSeconds: .max))
    }
}
