// What a revocation is called, whom it hits, and what becomes of a list with time.

import HashRing
import RingpostCore
import Testing

@Suite struct RevocationTests {
    private let hasher: KeyHasher
    private let alice: KeyHash
    private let bob: KeyHash

    init() throws {
        hasher = KeyHasher(seed: try #require(SipKey(bytes: [UInt8](repeating: 7, count: 16))))
        alice = hasher.hash(.user, "alice")
        bob = hasher.hash(.user, "bob")
    }

    private func token(_ id: String) -> UInt64 { Revocation.tokenHash(id, hasher: hasher) }

    // MARK: - Names

    @Test func aNameSaysEverything() throws {
        let all = Revocation(user: KeyHash(rawValue: 0xAB), issuedBefore: 100, until: 2_000)
        #expect(all.name == "2000-100-00000000000000ab--")
        let one = Revocation(user: KeyHash(rawValue: .max), token: 1, until: .max)
        #expect(one.name == "9223372036854775807-0-ffffffffffffffff-0000000000000001")
        let longest = Revocation(user: alice, issuedBefore: .max, until: .max)
        for revocation in [all, one, longest] { #expect(Revocation(name: revocation.name) == revocation) }
        // Times before 1970 are none.
        #expect(Revocation(user: alice, issuedBefore: -5, until: -7) == Revocation(user: alice, issuedBefore: 0, until: 0))
    }

    @Test func aKeysAndEverybodysHaveNamesToo() throws {
        let key = Revocation(key: 0xAB, issuedBefore: nil, until: 2_000)
        #expect(key.name == "2000-9223372036854775807-key-00000000000000ab")
        let some = Revocation(key: 0xAB, issuedBefore: 7, until: 2_000)
        #expect(some.name == "2000-7-key-00000000000000ab")
        let everybody = Revocation(everybodyIssuedBefore: 100, until: 2_000)
        #expect(everybody.name == "2000-100-all--")
        let made = Revocation(user: KeyHash(rawValue: 0xAB), issuedBefore: 100, until: 2_000, maker: 1)
        #expect(made.name == "2000-100-00000000000000ab---0000000000000001")
        let token = Revocation(user: KeyHash(rawValue: .max), token: .max, until: .max, maker: .max)
        #expect(token.name.utf8.count == 19 + 1 + 1 + 1 + 16 + 1 + 16 + 1 + 16)
        for revocation in [key, some, everybody, made, token] { #expect(Revocation(name: revocation.name) == revocation) }
        for name in [
            "2000-7-key--", "2000-7-key-ab", "2000-7-key-00000000000000ab-", "2000-7-all-00000000000000ab", "2000-7-all-", "2000-7-all---",
            "2000-7-All--", "2000-100-00000000000000ab---000000000000000g", "2000-100-00000000000000ab--0000000000000001",
        ] { #expect(Revocation(name: name) == nil, "\(name)") }
    }

    @Test func aKeysTokensAndOldOnesAreRevoked() {
        let keyHash = Revocation.keyHash("2026", hasher: hasher)
        var list = RevocationList()
        #expect(!list.concernsKeys && !list.revokesSigned(by: keyHash, issuedAt: nil))
        list.insert(Revocation(key: keyHash, issuedBefore: 100, until: 2_000))
        #expect(list.concernsKeys && list.revokesSigned(by: keyHash, issuedAt: 100) && !list.revokesSigned(by: keyHash, issuedAt: 101))
        #expect(list.revokesSigned(by: keyHash, issuedAt: nil), "one that does not say when counts as old")
        #expect(
            !list.revokesSigned(by: Revocation.keyHash("2027", hasher: hasher), issuedAt: 1) && !list.revokesSigned(by: nil, issuedAt: 1))
        list.insert(Revocation(key: keyHash, issuedBefore: nil, until: 2_000))
        #expect(list.revokesSigned(by: keyHash, issuedAt: .max), "also those that are made from now on")
        list.insert(Revocation(everybodyIssuedBefore: 50, until: 2_000))
        #expect(list.revokesSigned(by: nil, issuedAt: 50) && !list.revokesSigned(by: nil, issuedAt: 51))
        #expect(!list.revokes(user: alice, tokenHash: nil, issuedAt: 1), "nobody's in particular")
        #expect(list.tidy(now: 1_000).count == 1 && list.count == 2)
        #expect(list.expire(now: .max) && !list.revokesSigned(by: keyHash, issuedAt: 1))
    }

    @Test(arguments: [
        "", "-", "--", "----", "2000-100-00000000000000ab", "2000-100-00000000000000ab-", "2000-100-00000000000000ab---",
        "2000-100-00000000000000ab-1", "2000-100-00000000000000AB--", "2000-100-ab--", "02000-100-00000000000000ab--",
        "+2000-100-00000000000000ab--", "-1-100-00000000000000ab--", "2000--1-00000000000000ab--", " 2000-100-00000000000000ab--",
        "2000-100-00000000000000ab--\n", "9223372036854775808-0-00000000000000ab--", "2000-100-00000000000000ag--",
        "2000-100-00000000000000ab-00000000000000zz", "2000-100-00000000000000ab-0000000000000001-", "lock", "２０００-100-00000000000000ab--",
        "2000-100-00000000000000ab-00000000000000011",
    ])
    func whatIsNoNameIsRefused(_ name: String) { #expect(Revocation(name: name) == nil) }

    @Test func aNameWithOneByteChangedNeverMeansTheSame() {
        let revocation = Revocation(user: alice, token: token("t"), until: 2_000_000_000)
        let name = Array(revocation.name.utf8)
        for index in name.indices {
            for byte in UInt8.min ... .max where byte != name[index] {
                var other = name
                other[index] = byte
                guard let text = String(validating: other, as: UTF8.self), let read = Revocation(name: text) else { continue }
                #expect(read != revocation && read.name == text)
            }
        }
    }

    @Test func aTokensHashIsNoUsers() {
        #expect(token("alice") != alice.rawValue && token("") != hasher.hash(.user, "").rawValue)
        #expect(token("t") != token("u"))
    }

    // MARK: - Whom it hits

    @Test func aUsersTokensUpToAMoment() {
        let list = RevocationList([Revocation(user: alice, issuedBefore: 100, until: 2_000)])
        for (issuedAt, expected) in [(99, true), (100, true), (101, false), (nil, true)] as [(Int64?, Bool)] {
            #expect(list.revokes(user: alice, tokenHash: token("t"), issuedAt: issuedAt) == expected)
            #expect(list.revokes(user: alice, tokenHash: nil, issuedAt: issuedAt) == expected)
            #expect(!list.revokes(user: bob, tokenHash: token("t"), issuedAt: issuedAt))
        }
        #expect(!RevocationList().revokes(user: alice, tokenHash: nil, issuedAt: nil))
    }

    @Test func oneToken() {
        let list = RevocationList([Revocation(user: alice, token: token("t"), until: 2_000)])
        for issuedAt in [nil, 0, 5_000] as [Int64?] {
            #expect(list.revokes(user: alice, tokenHash: token("t"), issuedAt: issuedAt))
            #expect(!list.revokes(user: alice, tokenHash: token("u"), issuedAt: issuedAt))
            #expect(!list.revokes(user: alice, tokenHash: nil, issuedAt: issuedAt))
            #expect(!list.revokes(user: bob, tokenHash: token("t"), issuedAt: issuedAt))
        }
    }

    @Test func theNewestMomentCounts() {
        var list = RevocationList()
        for moment in [100, 300, 200] as [Int64] { list.insert(Revocation(user: alice, issuedBefore: moment, until: 2_000)) }
        #expect(list.revokes(user: alice, tokenHash: nil, issuedAt: 300))
        #expect(!list.revokes(user: alice, tokenHash: nil, issuedAt: 301))
    }

    // MARK: - Time

    @Test func whatHasExpiredGoes() {
        let early = Revocation(user: alice, issuedBefore: 300, until: 1_000)
        let late = Revocation(user: alice, issuedBefore: 100, until: 2_000)
        let one = Revocation(user: bob, token: token("t"), until: 1_000)
        var list = RevocationList([early, late, one])
        // Clocks differ, and tokens have a leeway.
        #expect(list.expire(now: 1_000 + RevocationList.graceSeconds) == false && list.count == 3)
        #expect(list.expire(now: 1_001 + RevocationList.graceSeconds) == true)
        #expect(list == RevocationList([late]))
        #expect(list.revokes(user: alice, tokenHash: nil, issuedAt: 100))
        #expect(!list.revokes(user: alice, tokenHash: nil, issuedAt: 200))
        #expect(!list.revokes(user: bob, tokenHash: token("t"), issuedAt: nil))
        #expect(list.expire(now: .max) == true && list == RevocationList())
    }

    @Test func whatAnotherOneSaysAsWellGoes() {
        let old = Revocation(user: alice, issuedBefore: 100, until: 2_000)
        let new = Revocation(user: alice, issuedBefore: 200, until: 2_000)
        let longer = Revocation(user: alice, issuedBefore: 150, until: 3_000)
        let others = [
            Revocation(user: bob, issuedBefore: 100, until: 2_000), Revocation(user: alice, token: token("t"), until: 2_000),
            Revocation(user: alice, token: token("u"), until: 2_000),
        ]
        var list = RevocationList([old, new] + others)
        #expect(list.tidy(now: 1_500) == [old])
        #expect(list == RevocationList([new] + others))
        #expect(list.tidy(now: 1_500) == [])
        // One that lasts longer and one that means more: both.
        list.insert(longer)
        #expect(list.tidy(now: 1_500) == [] && list.count == 5)
        let dropped = list.tidy(now: 2_001 + RevocationList.graceSeconds)
        #expect(Set(dropped) == Set([new] + others) && list == RevocationList([longer]))
    }

    @Test func ofTooManyThoseThatLastLongest() {
        let most = (0..<RevocationList.takenMax).map { Revocation(user: KeyHash(rawValue: UInt64($0)), issuedBefore: 1, until: 5_000) }
        let short = Revocation(user: alice, issuedBefore: 1, until: 4_999)
        let long = Revocation(user: bob, issuedBefore: 1, until: 5_001)
        let list = RevocationList(most + [short, long])
        #expect(list.count == RevocationList.takenMax)
        #expect(list.revocations.contains(long) && !list.revocations.contains(short))
        #expect(list == RevocationList([long, short] + most.reversed()), "every node takes the same")
    }

    // MARK: - Notes

    @Test func aNoteSaysWhichTokens() throws {
        for tokens in [
            RevokedTokens.key(id: "k", issuedBefore: nil), .key(id: "k", issuedBefore: 5), .everybody(issuedBefore: 5),
            .user(try Key(.user, name: Array("alice".utf8), hasher: hasher)),
        ] {
            let note = RevocationNote(tokens, until: 9)
            #expect(try RevocationNote(json: note.json(), znode: "/x") == note)
        }
        #expect(throws: DocumentError.self) { try RevocationNote(json: Array(#"{"until":5}"#.utf8), znode: "/x") }
    }

    @Test func aNoteIsForPeople() throws {
        let note = RevocationNote(user: "a\"\n", token: nil, until: 5)
        #expect(String(decoding: note.json(), as: UTF8.self) == #"{"until":5,"user":"a\"\n"}"#)
        #expect(try RevocationNote(json: note.json(), znode: "/x") == note)
        let longest = RevocationNote(
            user: String(repeating: "\u{1}", count: 256), token: String(repeating: "\u{1}", count: Revocation.tokenIDBytesMax), until: .max)
        #expect(try RevocationNote(json: longest.json(), znode: "/x") == longest)
        #expect(throws: DocumentError.self) { try RevocationNote(json: Array("{}".utf8), znode: "/x") }
    }
}
