// The link's codec: what two nodes say to each other for a message.
import NIOCore
import RingpostCore
import RingpostWire

enum LinkBenchmarks {
    static var all: [Benchmark] { samples.flatMap { [encode($0.name, $0.frame), decode($0.name, $0.frame)] } }

    /// What a tick may collect.
    private static let batch = 64

    static let forward = LinkFrame.forward(
        LinkForward(
            request: 4_711, epoch: 77, hops: 1, restarts: false, key: Samples.key("user-0000000100042"), id: Samples.id(1_234),
            isRepeatable: false, timeToLiveSeconds: nil, budgetMilliseconds: 10_000, publishedAt: 1_795_230_219_428_000,
            data: Samples.payload128))
    /// A step of a slot's log, to the mirror.
    static let append = LinkFrame.slot(
        .append(
            term: 77, slot: 4_242, position: 100_042,
            .message(Samples.key("user-0000000100042"), incarnation: 0xDEAD_BEEF, Samples.message, nil)))
    static let acknowledge = LinkFrame.slot(.acknowledge(term: 77, slot: 4_242, position: 100_042))
    static let answer = LinkFrame.answer(request: 4_711, .success(Samples.receipt), message: nil)
    static let deliver = LinkFrame.deliver(attachments: [17], incarnation: 0xDEAD_BEEF, Samples.message)

    static var samples: [(name: String, frame: LinkFrame)] {
        [("forward", forward), ("receipt", answer), ("append", append), ("acknowledge", acknowledge), ("deliver", deliver)]
    }

    private static func encode(_ name: String, _ frame: LinkFrame) -> Benchmark {
        Benchmark("link.encode.\(name)", operations: batch) {
            var output = ByteBuffer()
            return {
                output.clear()
                for _ in 0..<batch { LinkEncoder.write(frame, into: &output) }
                use(output.readableBytes)
            }
        }
    }

    private static func decode(_ name: String, _ frame: LinkFrame) -> Benchmark {
        Benchmark("link.decode.\(name)", operations: batch) {
            var frames = ByteBuffer()
            for _ in 0..<batch { LinkEncoder.write(frame, into: &frames) }
            var decoder = LinkDecoder()
            decoder.frameBytesMax = LinkProtocol.frameBytesMax
            return {
                var input = frames
                var count = 0
                do {
                    while let frame = try decoder.next(&input) {
                        use(frame)
                        count += 1
                    }
                } catch { preconditionFailure("\(error)") }
                precondition(count == batch, "\(count) frames were read of \(batch)")
            }
        }
    }
}
