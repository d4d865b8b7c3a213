// One thing that is measured: how long it takes, and how often it asks the allocator. Times are medians of several runs on the monotonic
// clock, each long enough that the clock's own cost is lost in it.
import CAllocationCounter
import Glibc

/// One benchmark.
struct Benchmark {
    /// What is done between two looks at the clock.
    enum Work {
        /// So many operations, again and again on the same state, which the closure makes and keeps.
        case batch(operations: Int, () -> () -> Void)
        /// Something that can be done to a state only once: makes the state, does it, and says how many nanoseconds what counts took.
        case probe(() -> Double)
    }

    let name: String
    let unit: Unit
    let work: Work

    enum Unit: String {
        case nanoseconds = "ns"
        case milliseconds = "ms"

        var nanoseconds: Double { self == .nanoseconds ? 1 : 1_000_000 }
    }

    init(_ name: String, operations: Int = 1, unit: Unit = .nanoseconds, _ prepare: @escaping () -> () -> Void) {
        self.name = name
        self.unit = unit
        work = .batch(operations: operations, prepare)
    }

    init(probe name: String, unit: Unit = .milliseconds, _ body: @escaping () -> Double) {
        self.name = name
        self.unit = unit
        work = .probe(body)
    }

    /// A figure with its name.
    struct Figure {
        let name: String
        let value: Double
        let unit: String
        /// Pieces of memory that one operation makes; `nil` where that was not counted.
        var allocations: Double?
    }

    // MARK: Time

    private static let runs = 11
    private static let probes = 7
    private static let warmUpNanoseconds: UInt64 = 30_000_000
    private static let runNanoseconds: UInt64 = 10_000_000

    func measure() -> Figure {
        switch work {
        case .batch(let operations, let prepare):
            let body = prepare()
            let batches = Self.batchesInARun(body)
            let times = (0..<Self.runs).map { _ in
                Double(Self.time { for _ in 0..<batches { body() } }) / Double(batches * operations)
            }
            return figure(Self.median(times), allocations: Self.allocations(operations, body))
        case .probe(let body): return figure(Self.median((0..<Self.probes).map { _ in body() }))
        }
    }

    private func figure(_ nanoseconds: Double, allocations: Double? = nil) -> Figure {
        Figure(name: name, value: nanoseconds / unit.nanoseconds, unit: unit.rawValue, allocations: allocations)
    }

    /// Warms everything up on the way.
    private static func batchesInARun(_ body: () -> Void) -> Int {
        var batches = 1
        let start = now()
        while true {
            let took = time { for _ in 0..<batches { body() } }
            if took >= runNanoseconds { return batches }
            batches = now() - start < warmUpNanoseconds ? batches * 2 : max(batches + 1, batches * Int(runNanoseconds / max(1, took)))
        }
    }

    static func time(_ body: () -> Void) -> UInt64 {
        let start = now()
        body()
        return now() - start
    }

    private static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    // MARK: Allocations

    private static let batchesCounted = 8
    private static let batchesBefore = 8

    /// Pieces of memory that one operation makes; `nil` for a probe.
    func countAllocations() -> Double? {
        guard case .batch(let operations, let prepare) = work else { return nil }
        let body = prepare()
        // Whatever grows has grown by then.
        for _ in 0..<Self.batchesBefore { body() }
        return Self.allocations(operations, body)
    }

    private static func allocations(_ operations: Int, _ body: () -> Void) -> Double {
        let before = allocation_counts().made
        for _ in 0..<batchesCounted { body() }
        return Double(allocation_counts().made - before) / Double(batchesCounted * operations)
    }
}

/// Keeps the optimizer from leaving out what nobody looks at.
@inline(never) func use<Value>(_ value: Value) { withExtendedLifetime(value) {} }
