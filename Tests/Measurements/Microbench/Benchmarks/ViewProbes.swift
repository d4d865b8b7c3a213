// How long an event loop stands still when an epoch comes: the longest single call of its machine, from the first to the last slot that
// the epoch moves. 20,000 users have mailboxes and sockets here.
import HashRing
import RingpostCore

enum ViewProbes {
    static var all: [Benchmark] {
        [
            first, probe("view.join", others: 2) { $0.view(1...4) }, probe("view.leave", others: 3) { $0.view(1...3) },
            probe("view.death", others: 1) { $0.view([1]) }, probe("view.drain", others: 2) { $0.view(1...3, ownWeight: 0) },
            probe("view.join.100", others: 98) { $0.view(1...100) }, probe("view.leave.100", others: 99) { $0.view(1...99) },
        ]
    }

    private static let users = 20_000

    /// A node begins alone, and becomes the owner of everything.
    private static var first: Benchmark {
        Benchmark(probe: "view.first") {
            let harness = ShardHarness(others: nil)
            return harness.longestCall(applying: harness.view([1]))
        }
    }

    private static func probe(_ name: String, others: Int, _ next: @escaping (ShardHarness) -> MembershipView) -> Benchmark {
        Benchmark(probe: name) {
            let harness = ShardHarness(others: others)
            for (number, key) in harness.ownKeys(users).enumerated() {
                harness.publish(to: key)
                harness.attach(to: key, .now, .always, id: UInt64(number + 1))
            }
            harness.settle()
            return harness.longestCall(applying: next(harness))
        }
    }
}
