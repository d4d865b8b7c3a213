// Which names a pattern means, and which texts are none.

import HashRing
import Testing

@testable import RingpostCore

@Suite struct NamePatternTests {
    private static func matches(_ pattern: String, _ name: String) -> Bool? { NamePattern(pattern)?.matches(Array(name.utf8)) }

    @Test func aNameIsThatNameAlone() {
        #expect(Self.matches("room", "room") == true)
        for other in ["roo", "rooms", "Room", "room:1", "", "r*", "room*"] { #expect(Self.matches("room", other) == false, "\(other)") }
    }

    @Test func aStarAtTheEndMeansAllBelow() {
        for name in ["game:", "game:1", "game:*", "game:1:2"] { #expect(Self.matches("game:*", name) == true, "\(name)") }
        for name in ["game", "Game:1", "a game:1", ""] { #expect(Self.matches("game:*", name) == false, "\(name)") }
        for name in ["", "a", "*", "game:1"] { #expect(Self.matches("*", name) == true, "\(name)") }
    }

    @Test func aStarElsewhereIsAStar() {
        #expect(Self.matches("a*b", "a*b") == true)
        #expect(Self.matches("a*b", "axb") == false)
        #expect(Self.matches("**", "*x") == true)
        #expect(Self.matches("**", "x") == false)
    }

    @Test func namesAreComparedAsBytes() {
        // The same letter in two spellings, which String takes for equal.
        #expect(Self.matches("caf\u{E9}", "cafe\u{301}") == false)
        #expect(Self.matches("caf*", "cafe\u{301}") == true)
        #expect(NamePattern("a*")?.matches([0x61, 0xFF]) == true)
    }

    @Test func whatIsNoPattern() {
        #expect(NamePattern("") == nil)
        #expect(NamePattern(String(repeating: "a", count: NamePattern.bytesMax)) != nil)
        #expect(NamePattern(String(repeating: "a", count: NamePattern.bytesMax + 1)) == nil)
    }

    @Test func oneOfSeveralIsEnough() throws {
        let patterns = try #require(NamePatterns(["a", "b*"]))
        for name in ["a", "b", "bc"] { #expect(patterns.matches(Array(name.utf8)), "\(name)") }
        for name in ["", "c", "ab"] { #expect(!patterns.matches(Array(name.utf8)), "\(name)") }
        #expect(!patterns.isAll && !patterns.isEmpty)
    }

    @Test func everythingAndNothing() throws {
        #expect(NamePatterns.all.matches([]) && NamePatterns.all.matches([0x61]) && NamePatterns.all.isAll)
        #expect(!NamePatterns.none.matches([]) && !NamePatterns.none.matches([0x61]) && NamePatterns.none.isEmpty)
        #expect(try #require(NamePatterns(["*"])).isAll)
        #expect(NamePatterns([]) == NamePatterns.none)
    }

    @Test func severalHaveABound() {
        let many = (0..<NamePatterns.countMax).map { "a\($0)" }
        #expect(NamePatterns(many) != nil)
        #expect(NamePatterns(many + ["b"]) == nil)
        #expect(NamePatterns(["a", ""]) == nil, "one that is none is not left out silently")
    }

    // MARK: {user}

    private static func grants(_ pattern: String, to user: String?, _ name: String) -> Bool? {
        NamePatterns([pattern], user: user.map { Array($0.utf8) })?.matches(Array(name.utf8))
    }

    @Test func theUsersIdStandsInItsPlace() {
        #expect(Self.grants("inbox:{user}", to: "alice", "inbox:alice") == true)
        #expect(Self.grants("inbox:{user}:*", to: "alice", "inbox:alice:mail") == true)
        #expect(Self.grants("{user}", to: "alice", "alice") == true)
        #expect(Self.grants("{user}:{user}", to: "alice", "alice:alice") == true)
        for other in ["inbox:alic", "inbox:alices", "inbox:bob", "inbox:", "inbox:{user}", "inbox"] {
            #expect(Self.grants("inbox:{user}", to: "alice", other) == false, "\(other)")
        }
        for other in ["inbox:alice", "inbox:alice2:mail", "inbox:bob:mail", "inbox:{user}:mail"] {
            #expect(Self.grants("inbox:{user}:*", to: "alice", other) == false, "\(other)")
        }
    }

    @Test(arguments: ["*", "a*", "*a", "a:b", ":", "alice:", "a/b", "a:*"])
    func anIdWidensNoPattern(user: String) {
        for pattern in ["inbox:{user}", "inbox:{user}:*", "{user}", "{user}:x", "https://x/{user}/y"] {
            for name in ["inbox:", "inbox:alice", "inbox:\(user)", "inbox:\(user):", "inbox:\(user):x", user, "\(user):x", "alice"] {
                #expect(Self.grants(pattern, to: user, name) == false, "\(pattern) to \(user): \(name)")
            }
        }
        #expect(Self.grants("room", to: user, "room") == true, "other patterns are what they were")
    }

    @Test func anIdIsPutInOnce() {
        // An id that looks like the place of an id is only an id.
        #expect(Self.grants("inbox:{user}", to: "{user}", "inbox:{user}") == true)
        #expect(Self.grants("inbox:{user}", to: "{user}", "inbox:alice") == false)
        #expect(Self.grants("inbox:{use", to: "alice", "inbox:{use") == true)
        #expect(Self.grants("inbox:{User}", to: "alice", "inbox:alice") == false)
    }

    @Test func whereThereIsNoUserItMeansNothing() {
        for name in ["inbox:", "inbox:{user}", "inbox:alice", "inbox:*"] {
            #expect(Self.grants("inbox:{user}", to: nil, name) == false, "\(name)")
            #expect(Self.grants("inbox:{user}", to: "", name) == false, "\(name)")
        }
        #expect(NamePatterns(["inbox:{user}"])?.isEmpty == true)
    }

    @Test func aStarRightBehindTheUserIsNoPattern() {
        #expect(NamePattern("{user}*") == nil && NamePattern("inbox:{user}*") == nil)
        #expect(NamePattern("inbox:{user}:*") != nil)
    }

    @Test func aPatternThatBecomesTooLongMeansNothing() {
        let user = String(repeating: "u", count: Key.userBytesMax)
        #expect(Self.grants("{user}", to: user, user) == true, "a user may publish to itself")
        let many = String(repeating: "{user}", count: 40)
        #expect(NamePatterns([many], user: Array(user.utf8))?.isEmpty == true)
    }
}
