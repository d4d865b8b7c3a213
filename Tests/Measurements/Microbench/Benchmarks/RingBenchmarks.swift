// The ring: where a key belongs, how long a new ring takes, and what it changes.
import HashRing

enum RingBenchmarks {
    static var all: [Benchmark] {
        [
            lookupOfBytes, lookupOfText, build("ring.build.10", Samples.members(10)), build("ring.build.1000", Samples.members(1_000)),
            build("ring.build.1000.weights", Samples.members(1_000) { UInt16(60_000 + $0) }), change("ring.change.10", 10),
            change("ring.change.1000", 1_000), placedOtherwise,
        ]
    }

    private static var lookupOfBytes: Benchmark {
        Benchmark("ring.lookup.bytes", operations: Samples.userNames.count) {
            let ring = HashRing(members: Samples.members(10))
            let (hasher, names) = (Samples.hasher, Samples.userNames.map { Array($0.utf8) })
            return {
                var sum = 0
                for name in names {
                    sum &+= ring.owner(ofSlot: name.withUnsafeBytes { hasher.hash(.user, utf8: $0) }.slot) ?? 0
                }
                use(sum)
            }
        }
    }

    private static var lookupOfText: Benchmark {
        Benchmark("ring.lookup.text", operations: Samples.userNames.count) {
            let ring = HashRing(members: Samples.members(10))
            let (hasher, names) = (Samples.hasher, Samples.userNames)
            return {
                var sum = 0
                for name in names { sum &+= ring.owner(ofSlot: hasher.hash(.user, name).slot) ?? 0 }
                use(sum)
            }
        }
    }

    /// Three deep, as every ring of a cluster.
    private static func build(_ name: String, _ members: [RingMember]) -> Benchmark {
        Benchmark(name, unit: .milliseconds) { { use(HashRing(members: members).digest) } }
    }

    /// One more joins.
    private static func change(_ name: String, _ count: Int) -> Benchmark {
        Benchmark(name, unit: .milliseconds) {
            let old = HashRing(members: Samples.members(count))
            let new = HashRing(members: Samples.members(count + 1))
            return { use(RingChange(from: old, to: new).slotsMoved) }
        }
    }

    /// What an event loop looks through when an epoch comes; a node of one loop looks through all of it.
    private static var placedOtherwise: Benchmark {
        Benchmark("ring.placedOtherwise.10", unit: .milliseconds) {
            let old = HashRing(members: Samples.members(10))
            let new = HashRing(members: Samples.members(11))
            let memberIndices = old.members.map { new.memberIndex(of: $0.id) }
            return { use(new.slotsWithOtherHolders(than: old, memberIndices: memberIndices, from: 0, by: 1)) }
        }
    }
}
