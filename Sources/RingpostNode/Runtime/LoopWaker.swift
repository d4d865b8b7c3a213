// Calls back when an event loop looks at its sockets the next time. Tasks can't do that: an event loop runs all that are due before it looks
// again, those too that tasks add and that other loops send, and a timer that is due is one of them. So the bell is something to be looked
// at itself: a pipe, with one byte in it for each ring.
import Glibc
import NIOCore
import NIOPosix

final class LoopWaker: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer

    private var writeEnd: CInt
    private let onRing: () -> Void

    private init(writeEnd: CInt, onRing: @escaping () -> Void) {
        self.writeEnd = writeEnd
        self.onRing = onRing
    }

    /// - Parameters:
    ///   - whenReady: called on the event loop with the bell; not at all where there is no descriptor left, and where a test turns the loop.
    ///   - onRing: called on the event loop.
    static func hang(
        on eventLoop: any EventLoop, whenReady: @escaping @Sendable (LoopWaker) -> Void, onRing: @escaping @Sendable () -> Void
    ) {
        var ends: [CInt] = [-1, -1]
        guard let bootstrap = NIOPipeBootstrap(validatingGroup: eventLoop), pipe(&ends) == 0 else { return }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
        let waker = LoopWaker(writeEnd: ends[1], onRing: onRing)
        bootstrap
            .channelInitializer { channel in channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(waker) }
            }
            .takingOwnershipOfDescriptor(input: ends[0])
            .whenComplete { result in
                if case .success = result { whenReady(waker) } else { waker.dismantle() }
            }
    }

    /// On the event loop, and once until it calls back: the pipe never fills.
    func ring() {
        var byte: UInt8 = 0
        _ = write(writeEnd, &byte, 1)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { onRing() }

    func channelInactive(context: ChannelHandlerContext) { dismantle() }

    private func dismantle() {
        if writeEnd >= 0 { close(writeEnd) }
        writeEnd = -1
    }
}
