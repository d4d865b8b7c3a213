// Look-ups of a link's name as transcripts.

import RingpostCore
import Testing

@Suite struct LinkLookupTests {
    @Test func anAnswerServesTheAttemptThatIsUnderWayWhenItComes() {
        var lookup = LinkLookup<[Int]>()
        #expect(lookup.onDial() == .ask)
        #expect(lookup.onFound([1], isDialling: true) == .connect([1]))
        #expect(lookup.onDial() == .ask, "addresses change")
        // The attempt is given up, and another one begins: one look-up at a time.
        #expect(lookup.onDial() == .wait)
        #expect(lookup.onDial() == .wait)
        #expect(lookup.onFound([2], isDialling: true) == .connect([2]))
        #expect(lookup.onDial() == .ask)
    }

    @Test func betweenTwoAttemptsItIsTheNextOnes() {
        var lookup = LinkLookup<[Int]>()
        #expect(lookup.onDial() == .ask)
        #expect(lookup.onFound([1, 2], isDialling: false) == .wait)
        #expect(lookup.onDial() == .connect([1, 2]))
        #expect(lookup.onDial() == .ask)
    }

    @Test func anUnknownNameIsAskedForAgain() {
        var lookup = LinkLookup<[Int]>()
        #expect(lookup.onDial() == .ask)
        #expect(lookup.onFound([], isDialling: false) == .wait)
        #expect(lookup.onDial() == .ask)
        #expect(lookup.onFound([], isDialling: true) == .connect([]), "the attempt fails at once")
    }
}
