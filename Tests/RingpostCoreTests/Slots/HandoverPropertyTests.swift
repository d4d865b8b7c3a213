// Random views, cuts, leases and deaths, some hundred times over: nothing acknowledged is lost, no place is given twice, every
// socket sees everything in order, and in the end exactly the owner and its mirrors have a copy. A failure names the seed that
// repeats it.
import Testing

@testable import RingpostCore

@Suite struct HandoverPropertyTests {
    static func run(seed: UInt64, faults: Set<GuardFault> = [], copies: Int = 2) -> RandomFaults {
        let turmoil = RandomFaults(seed: seed, faults: faults, copies: copies)
        turmoil.changeRing()
        for id in RandomFaults.ids { turmoil.spread(id, all: true) }
        for round in 0..<3 {
            let loss = round == 0 ? nil : turmoil.isAlwaysMirrored ? Int.random(in: 0..<400, using: &turmoil.dice) : 0
            for step in 0..<400 where turmoil.faults.isEmpty {
                if step == loss { turmoil.lose() }
                turmoil.step()
            }
            turmoil.rest()
            if !turmoil.faults.isEmpty { break }
        }
        return turmoil
    }

    @Test(arguments: 1...200) func nothingIsLost(seed: UInt64) {
        let turmoil = Self.run(seed: seed)
        #expect(turmoil.faults.first == nil, "seed \(seed)")
    }

    @Test(arguments: 1...100) func nothingIsLostOfThreeCopies(seed: UInt64) {
        let turmoil = Self.run(seed: seed, copies: 3)
        #expect(turmoil.faults.first == nil, "seed \(seed)")
    }
}
