// The only source of chance in a simulation: one seed, and everything that follows from it repeats exactly.

import HashRing

extension SplitMix64 {
    /// A generator of its own for one part of the simulation, so that a draw more in one part leaves the others as they were.
    mutating func split() -> SplitMix64 { SplitMix64(seed: next()) }

    /// A number of the range, near enough to evenly.
    mutating func draw(_ range: ClosedRange<Int64>) -> Int64 {
        range.lowerBound + Int64(next() % UInt64(range.upperBound - range.lowerBound + 1))
    }

    /// A number below `count`.
    mutating func below(_ count: Int) -> Int { Int(next() % UInt64(count)) }

    /// True so many times in a hundred.
    mutating func percent(_ chance: UInt64) -> Bool { next() % 100 < chance }

    /// One of a collection's elements.
    mutating func pick<Element>(_ elements: [Element]) -> Element? { elements.isEmpty ? nil : elements[below(elements.count)] }
}
