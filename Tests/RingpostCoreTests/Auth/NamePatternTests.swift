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
}
