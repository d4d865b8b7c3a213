// Stands first in the pipeline of a connection that a proxy may have opened, reads the PROXY protocol if it begins with it, and is gone
// before the first byte of anything else.
import NIOCore
import RingpostCore
import RingpostWire

final class ProxyHeaderHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let proxies: TrustedProxies
    private let connection: Connection
    private var input = ByteBuffer()

    init(_ proxies: TrustedProxies, for connection: Connection) {
        self.proxies = proxies
        self.connection = connection
    }

    func channelActive(context: ChannelHandlerContext) {
        context.fireChannelActive()
        // Whoever is no proxy has nothing to say here.
        guard let peer = connection.peerAddress, proxies.trusts(peer) else { return stepAside(context) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if input.readableBytes == 0 { input = bytes } else { input.writeBuffer(&bytes) }
        do throws(ProxyHeaderError) {
            switch try ProxyHeader.read(from: &input) {
            case .incomplete: return
            case .present(.named(let source)): connection.onProxied(for: source)
            case .present(.own), .absent: break
            }
        } catch {
            connection.runtime.counters.badRequests[400, default: 0] += 1
            connection.runtime.logger.debug("\(error.rawValue)", metadata: ["from": "\(connection.remoteText)"])
            return context.close(promise: nil)
        }
        if input.readableBytes > 0 { context.fireChannelRead(wrapInboundOut(input)) }
        stepAside(context)
    }

    private func stepAside(_ context: ChannelHandlerContext) {
        input = ByteBuffer()
        context.pipeline.syncOperations.removeHandler(context: context, promise: nil)
    }
}
