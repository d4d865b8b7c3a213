// A tiny server that speaks link frames, as much of them as a producer's test needs.
import NIOCore
import NIOPosix
import NIOSSL
import RingpostCore
import RingpostWire
import Synchronization

@testable import RingpostClient

/// Waits for a condition, with a deadline instead of a guess.
func eventually(_ condition: () -> Bool) async -> Bool {
    let deadline = ContinuousClock.now + .seconds(10)
    while !condition() {
        if ContinuousClock.now > deadline { return false }
        await Task.yield()
        try? await Task.sleep(for: .milliseconds(2))
    }
    return true
}

/// A link port: says welcome, and lets a function answer each produce frame; `nil` leaves it unanswered, closing is possible.
final class StandInNode: Sendable {
    enum Reply {
        case answer(PublishResult)
        case nothing
        case close
    }

    let produced = Mutex<[LinkProduce]>([])
    let connections = Mutex(0)
    let credentials = Mutex<[String]>([])
    private let isTLS: Bool
    private let channel: any Channel

    static let receipt = Receipt(
        sequence: 1, epoch: 5, owner: "n1", outcome: .delivered, mirrored: true, id: MessageID(high: 1, low: 2))

    init(
        certificate: TestCertificate? = nil, reply: @escaping @Sendable (StandInNode, Int, LinkProduce) -> Reply
    ) async throws {
        let tls = try certificate?.server()
        isTLS = tls != nil
        let box = Mutex<StandInNode?>(nil)
        let shared = Shared(box: box)
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls { try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: tls)) }
                    try channel.pipeline.syncOperations.addHandler(Handler(shared, reply))
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        shared.box.withLock { $0 = self }
    }

    var endpoint: Endpoint { Endpoint(host: "127.0.0.1", port: channel.localAddress?.port ?? 0, isTLS: isTLS) }

    func close() async { try? await channel.close() }

    final class Shared: Sendable {
        let box: Mutex<StandInNode?>
        init(box: consuming Mutex<StandInNode?>) { self.box = box }
    }

    private final class Handler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let shared: Shared
        private let reply: @Sendable (StandInNode, Int, LinkProduce) -> Reply
        private var decoder = LinkDecoder()
        private var unread = ByteBuffer()
        private var number = 0

        init(_ shared: Shared, _ reply: @escaping @Sendable (StandInNode, Int, LinkProduce) -> Reply) {
            self.shared = shared
            self.reply = reply
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var arrived = unwrapInboundIn(data)
            unread.writeBuffer(&arrived)
            var output = ByteBuffer()
            guard let node = shared.box.withLock({ $0 }) else { return context.close(promise: nil) }
            while let frame = try? decoder.next(&unread) {
                switch frame {
                case .hello(let hello):
                    node.credentials.withLock { $0.append(hello.credential) }
                    number = node.connections.withLock {
                        $0 += 1
                        return $0
                    }
                    decoder.frameBytesMax = LinkProtocol.frameBytesMax
                    LinkEncoder.write(.welcome(LinkWelcome(node: "n1", boot: 1, epoch: 5, payloadBytesMax: 65_536)), into: &output)
                    LinkEncoder.write(
                        .ping(query: 9, sentAt: 1, LinkStanding(epoch: 5, digest: 0, reachesZooKeeper: true, isLeaving: false)),
                        into: &output)
                case .produce(let produce):
                    node.produced.withLock { $0.append(produce) }
                    switch reply(node, number, produce) {
                    case .answer(let result): LinkEncoder.write(.answer(request: produce.request, result, message: nil), into: &output)
                    case .nothing: break
                    case .close: return context.close(promise: nil)
                    }
                case .ping(let query, let sentAt, let standing):
                    LinkEncoder.write(.pong(query: query, sentAt: sentAt, standing), into: &output)
                default: break
                }
            }
            context.writeAndFlush(wrapOutboundOut(output), promise: nil)
        }
    }
}
