// Asks an address who answers there, with which boot: so that a node finds out whether the holder of its id is alive. Where links have a
// secret or certificates, only who has proven to belong here is believed; anybody else is as good as silent.
import NIOCore
import NIOPosix
import NIOSSL
import NIOTLS
import RingpostCore
import RingpostWire

enum LinkProbe {
    static let millisecondsMax: Int64 = 1_500

    static func ask(_ member: Member, from context: NodeContext, on eventLoop: any EventLoop) async -> ProbeResult {
        guard let target = ListenAddress(member.link) else { return .silent }
        let auth = context.auth
        let answer = eventLoop.makePromise(of: ProbeResult.self)
        // Its own id, because that is what its certificate says.
        let hello = LinkHello(
            role: .probe, cluster: context.configuration.cluster, generation: 0, from: context.configuration.id, boot: 0, to: "", toBoot: 0,
            nonce: .fresh())
        let isTrusting = auth.linkSecrets == nil && auth.diallingLinks == nil
        let probe = ProbeConnection(
            member.identity, LinkDialler(hello, secrets: auth.linkSecrets), isTrusting: isTrusting, answer: answer)
        let timeout = eventLoop.scheduleTask(in: .milliseconds(millisecondsMax)) { probe.finish(.silent) }
        let (lookups, loops) = (context.lookups, context.loops)
        eventLoop.execute {
            lookups.find(target, on: eventLoop, loops) { addresses in
                // The look-up may have taken longer than the answer is waited for.
                if probe.isAwaited { connect(probe, to: addresses, of: target, auth, on: eventLoop) }
            }
        }
        let result = (try? await answer.futureResult.get()) ?? .silent
        timeout.cancel()
        return result
    }

    private static func connect(
        _ probe: ProbeConnection, to addresses: [SocketAddress], of target: ListenAddress, _ auth: NodeAuth, on eventLoop: any EventLoop
    ) {
        ClientBootstrap(group: eventLoop)
            .connectTimeout(.milliseconds(millisecondsMax))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let context = auth.diallingLinks {
                        try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: context, serverHostname: nil))
                    }
                    try channel.pipeline.syncOperations.addHandler(probe)
                }
            }
            .connect(to: addresses, of: target, on: eventLoop)
            .whenFailure { error in
                let isRefused = (error as? NIOConnectionError)?.connectionErrors.contains {
                    ($0.error as? IOError)?.errnoCode == ECONNREFUSED
                }
                probe.finish(isRefused == true || (error as? IOError)?.errnoCode == ECONNREFUSED ? .refused : .silent)
            }
    }
}

/// Used on one loop only.
private final class ProbeConnection: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let member: MemberIdentity
    private var dialler: LinkDialler
    /// Nobody has to prove anything here, so that whoever answers is believed.
    private let isTrusting: Bool
    private var answer: EventLoopPromise<ProbeResult>?
    private var input = ByteBuffer()
    private var channel: (any Channel)?

    init(_ member: MemberIdentity, _ dialler: LinkDialler, isTrusting: Bool, answer: EventLoopPromise<ProbeResult>) {
        self.member = member
        self.dialler = dialler
        self.isTrusting = isTrusting
        self.answer = answer
    }

    var isAwaited: Bool { answer != nil }

    func finish(_ result: ProbeResult) {
        answer?.succeed(result)
        answer = nil
        channel?.close(promise: nil)
        channel = nil
    }

    func channelActive(context: ChannelHandlerContext) {
        // It has taken too long.
        if answer == nil { return context.close(promise: nil) }
        channel = context.channel
        if secured(context) == nil { send(.hello(dialler.hello), context) }
        context.fireChannelActive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard case .handshakeCompleted = event as? TLSUserEvent else { return }
        // Any member of the authority may answer at an address that was another one's.
        send(.hello(dialler.hello), context)
    }

    private func secured(_ context: ChannelHandlerContext) -> NIOSSLHandler? {
        try? context.pipeline.syncOperations.handler(type: NIOSSLHandler.self)
    }

    private func send(_ frame: LinkFrame, _ context: ChannelHandlerContext) {
        var bytes = ByteBuffer()
        LinkEncoder.write(frame, into: &bytes)
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        input.writeBuffer(&bytes)
        do throws(LinkError) {
            while answer != nil, let frame = try LinkDecoder().next(&input) { try handle(frame, context) }
        } catch {
            onStranger()
        }
    }

    private func handle(_ frame: LinkFrame, _ context: ChannelHandlerContext) throws(LinkError) {
        switch frame {
        case .challenge(let nonce, let proof): send(.proof(try dialler.onChallenge(nonce, proof)), context)
        case .welcome(let welcome):
            try dialler.onWelcome()
            if let tls = secured(context) {
                let names = (try? tls.peerCertificate?.toDERBytes()).map { CertificateNames(der: $0) }
                guard names?.fit(welcome.node) == true else { throw LinkError("a certificate for another name") }
            }
            finish(welcome.boot == member.boot ? .sameBoot : .otherBoot)
        default: throw LinkError("no answer to a probe")
        }
    }

    /// Somebody who isn't Ringpost, or another cluster's node, is another program at that address: not the holder. Unless it might be
    /// the holder behind somebody who wants it to be taken for gone.
    private func onStranger() { finish(isTrusting ? .otherBoot : .silent) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { finish(.silent) }

    func channelInactive(context: ChannelHandlerContext) { finish(.silent) }
}
