// The way of a message through one event loop's machine: from a publish to its place, its receipt and its deliveries.
import HashRing
import RingpostCore

enum MailboxBenchmarks {
    static var all: [Benchmark] { [append, appendRepeatable, repeated, replay, deliver, deliverMirrored, fanOut] }

    private static let keys = 64
    /// So that histories are full: from then on each message takes another's place.
    private static let messagesBefore = 1_100

    private static func filled(_ harness: ShardHarness) -> [Key] {
        let keys = harness.ownKeys(keys)
        for _ in 0..<messagesBefore { for key in keys { harness.publish(to: key) } }
        return keys
    }

    /// Nobody listens.
    private static var append: Benchmark {
        Benchmark("mailbox.append", operations: keys) {
            let harness = ShardHarness()
            let keys = filled(harness)
            return { for key in keys { harness.publish(to: key) } }
        }
    }

    /// With an idempotency key, which is remembered, and another forgotten for it.
    private static var appendRepeatable: Benchmark {
        Benchmark("mailbox.appendRepeatable", operations: keys) {
            let harness = ShardHarness()
            let keys = filled(harness)
            for _ in 0..<messagesBefore { for key in keys { harness.publish(to: key, isRepeatable: true) } }
            return {
                for key in keys { harness.publish(to: key, isRepeatable: true) }
                harness.machine.onTick(now: harness.now, actions: &harness.actions)
                harness.settle()
            }
        }
    }

    /// A second time with the same idempotency key.
    private static var repeated: Benchmark {
        Benchmark("mailbox.repeat", operations: keys) {
            let harness = ShardHarness()
            let keys = harness.ownKeys(keys)
            return {
                // The window lasts for thirty seconds of the harness's time: each key is new now and then.
                for key in keys { harness.publish(to: key, isRepeatable: true, number: 1) }
            }
        }
    }

    /// Ten messages after a cursor; one operation is one of them.
    private static var replay: Benchmark {
        Benchmark("mailbox.replay", operations: keys * 10) {
            let harness = ShardHarness()
            let keys = filled(harness)
            var cursors: [Cursor] = []
            for key in keys {
                guard let end = harness.machine.summary(of: key)?.cursor else { preconditionFailure("\(key.text) has no mailbox") }
                cursors.append(Cursor(incarnation: end.incarnation, sequence: end.sequence - 10))
            }
            return {
                for (key, cursor) in zip(keys, cursors) { harness.attach(to: key, .after(cursor), .never) }
                harness.settle()
            }
        }
    }

    /// One socket listens, and nobody mirrors: publish, commit, receipt, delivery.
    private static var deliver: Benchmark {
        Benchmark("loop.deliver", operations: keys) {
            let harness = ShardHarness()
            let keys = filled(harness)
            for (number, key) in keys.enumerated() { harness.attach(to: key, .now, .always, id: UInt64(number + 1)) }
            harness.settle()
            return delivering(harness, keys)
        }
    }

    /// The same with a mirror that confirms: its side takes no time here.
    private static var deliverMirrored: Benchmark {
        Benchmark("loop.deliver.mirrored", operations: keys) {
            let harness = ShardHarness(others: 2)
            let keys = filled(harness)
            for (number, key) in keys.enumerated() { harness.attach(to: key, .now, .always, id: UInt64(number + 1)) }
            harness.settle()
            return delivering(harness, keys)
        }
    }

    private static func delivering(_ harness: ShardHarness, _ keys: [Key]) -> () -> Void {
        {
            let (delivered, receipts) = (harness.delivered, harness.receipts)
            for key in keys { harness.publish(to: key) }
            precondition(harness.delivered == delivered + keys.count && harness.receipts == receipts + keys.count, "not all was delivered")
        }
    }

    /// A channel to which sockets of a thousand places listen; one operation is one delivery.
    private static var fanOut: Benchmark {
        Benchmark("loop.fanOut", operations: 1_000) {
            let harness = ShardHarness()
            let channel = harness.ownKeys(1, kind: .channel)
            for number in 1...1_000 { harness.attach(to: channel[0], .now, .always, id: UInt64(number)) }
            harness.settle()
            return { harness.publish(to: channel[0]) }
        }
    }
}
