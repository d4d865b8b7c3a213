// Stands in NIO's pipeline for a connection that another one may replace: an HTTP connection becomes a WebSocket or an event stream. To
// change the pipeline would cost each client more than the upgrade itself does.
import NIOCore

final class ConnectionSlot: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private var socket: Connection

    init(_ socket: Connection) { self.socket = socket }

    /// The former connection is gone after this, and the other one has its socket.
    func replace(by other: Connection, _ context: ChannelHandlerContext) {
        let former = socket
        socket = other
        other.inherit(from: former)
        former.handlerRemoved(context: context)
        other.handlerAdded(context: context)
    }

    func handlerAdded(context: ChannelHandlerContext) { socket.handlerAdded(context: context) }
    func handlerRemoved(context: ChannelHandlerContext) { socket.handlerRemoved(context: context) }
    func channelActive(context: ChannelHandlerContext) { socket.channelActive(context: context) }
    func channelInactive(context: ChannelHandlerContext) { socket.channelInactive(context: context) }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) { socket.channelRead(context: context, data: data) }
    func channelWritabilityChanged(context: ChannelHandlerContext) { socket.channelWritabilityChanged(context: context) }
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        socket.userInboundEventTriggered(context: context, event: event)
    }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { socket.errorCaught(context: context, error: error) }
}
