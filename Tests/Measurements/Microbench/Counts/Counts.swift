// What can be counted rather than timed: the same in every run. Pieces of memory that one operation makes, and bytes that a message takes
// in memory and on the wire.
import CAllocationCounter
import NIOCore
import RingpostCore
import RingpostWire

enum Counts {
    static func all() -> [Benchmark.Figure] { allocations() + frameBytes() + [mailboxBytes(), mailboxBytesIdle()] }

    private static func allocations() -> [Benchmark.Figure] {
        (WireBenchmarks.all + LinkBenchmarks.all + MailboxBenchmarks.all).compactMap { benchmark in
            benchmark.countAllocations().map {
                Benchmark.Figure(name: "allocations." + benchmark.name, value: $0, unit: "allocations an operation")
            }
        }
    }

    // MARK: Bytes on the wire

    private static func frameBytes() -> [Benchmark.Figure] {
        var figures = LinkBenchmarks.samples.map { name, frame in
            var bytes = ByteBuffer()
            LinkEncoder.write(frame, into: &bytes)
            return self.bytes("bytes.link.\(name)", bytes.readableBytes)
        }
        var frame = ByteBuffer()
        WebSocketEncoder.writeText(Samples.message.envelope, into: &frame)
        figures.append(bytes("bytes.websocket.message", frame.readableBytes))
        var event = ByteBuffer()
        EventStreamEncoder.writeEvent(
            id: Array(Cursor(incarnation: 0xDEAD_BEEF, sequence: Samples.message.sequence).text.utf8), data: Samples.message.envelope,
            into: &event)
        figures.append(bytes("bytes.eventstream.message", event.readableBytes))
        return figures
    }

    private static func bytes(_ name: String, _ count: Int) -> Benchmark.Figure {
        Benchmark.Figure(name: name, value: Double(count), unit: "bytes")
    }

    // MARK: Bytes in memory

    /// A message of 128 bytes in a history: with its envelope, and what the history needs to keep it.
    private static func mailboxBytes() -> Benchmark.Figure {
        let harness = ShardHarness()
        let keys = harness.ownKeys(16)
        for key in keys { harness.publish(to: key) }
        let before = allocation_counts().bytes_held
        let messages = 512
        for _ in 0..<messages { for key in keys { harness.publish(to: key) } }
        let held = allocation_counts().bytes_held - before
        use(harness.machine)
        return bytes("bytes.mailbox.message", Int(held) / (messages * keys.count))
    }

    /// A user who has a mailbox and a socket, and no message.
    private static func mailboxBytesIdle() -> Benchmark.Figure {
        let harness = ShardHarness()
        let keys = harness.ownKeys(50_000)
        let before = allocation_counts().bytes_held
        for (number, key) in keys.enumerated() {
            harness.attach(to: key, .now, .always, id: UInt64(number + 1))
            // One by one: what all of them together leave to be done is nothing that a user keeps.
            harness.settle()
        }
        let held = allocation_counts().bytes_held - before
        use(harness.machine)
        return bytes("bytes.mailbox.idle", Int(held) / keys.count)
    }
}
