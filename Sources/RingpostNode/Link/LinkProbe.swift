// Asks an address who answers there, with which boot: so that a node finds out whether the holder of its id is alive.
import NIOCore
import NIOPosix
import RingpostCore
import RingpostWire

enum LinkProbe {
    static let millisecondsMax: Int64 = 1_500

    static func ask(_ member: Member, cluster: String, loop: NodeLoop?) async -> ProbeResult {
        guard let loop, let target = ListenAddress(member.link) else { return .silent }
        let answer = loop.eventLoop.makePromise(of: ProbeResult.self)
        let probe = ProbeConnection(boot: member.boot, cluster: cluster, answer: answer)
        let timeout = loop.eventLoop.scheduleTask(in: .milliseconds(millisecondsMax)) { probe.finish(.silent) }
        ClientBootstrap(group: loop.eventLoop)
            .connectTimeout(.milliseconds(millisecondsMax))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(probe) }
            }
            .connect(host: target.host, port: target.port)
            .hop(to: loop.eventLoop)
            .whenFailure { error in
                let isRefused = (error as? NIOConnectionError)?.connectionErrors.contains {
                    ($0.error as? IOError)?.errnoCode == ECONNREFUSED
                }
                probe.finish(isRefused == true || (error as? IOError)?.errnoCode == ECONNREFUSED ? .refused : .silent)
            }
        let result = (try? await answer.futureResult.get()) ?? .silent
        timeout.cancel()
        return result
    }
}

/// Used on one loop only.
private final class ProbeConnection: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let boot: UInt64
    private let cluster: String
    private var answer: EventLoopPromise<ProbeResult>?
    private var input = ByteBuffer()
    private var channel: (any Channel)?

    init(boot: UInt64, cluster: String, answer: EventLoopPromise<ProbeResult>) {
        self.boot = boot
        self.cluster = cluster
        self.answer = answer
    }

    func finish(_ result: ProbeResult) {
        answer?.succeed(result)
        answer = nil
        channel?.close(promise: nil)
        channel = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        channel = context.channel
        var bytes = ByteBuffer()
        let hello = LinkHello(role: .probe, cluster: cluster, generation: 0, from: "", boot: 0, to: "", toBoot: 0)
        LinkEncoder.write(.hello(hello), into: &bytes)
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        input.writeBuffer(&bytes)
        // Somebody who isn't Ringpost, or another cluster's node, is another program at that address: not the holder.
        do {
            guard let frame = try LinkDecoder().next(&input) else { return }
            if case .welcome(let welcome) = frame, welcome.boot == boot { finish(.sameBoot) } else { finish(.otherBoot) }
        } catch {
            finish(.otherBoot)
        }
    }

    func channelInactive(context: ChannelHandlerContext) { finish(.silent) }
}
