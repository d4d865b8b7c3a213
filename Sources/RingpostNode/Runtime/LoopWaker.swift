// Calls back when an event loop has looked at its sockets once more. No task can do that: an event loop runs all tasks that are due before it
// looks again, also those that tasks add and that other loops send, and a timer that is due is one of them. So it is a thing that the event
// loop looks at: a pipe, with one byte in it for each call.
import Glibc
import NIOCore
import NIOPosix

final class LoopWaker: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer

    private var writeEnd: CInt
    private let onWake: () -> Void

    private init(writeEnd: CInt, onWake: @escaping () -> Void) {
        self.writeEnd = writeEnd
        self.onWake = onWake
    }

    /// - Parameters:
    ///   - whenReady: called on the event loop with the waker; not at all where there is no descriptor left, and where a test turns the loop.
    ///   - onWake: called on the event loop.
    static func install(
        on eventLoop: any EventLoop, whenReady: @escaping @Sendable (LoopWaker) -> Void, onWake: @escaping @Sendable () -> Void
    ) {
        var ends: [CInt] = [-1, -1]
        guard let bootstrap = NIOPipeBootstrap(validatingGroup: eventLoop), pipe(&ends) == 0 else { return }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
        let waker = LoopWaker(writeEnd: ends[1], onWake: onWake)
        bootstrap
            .channelInitializer { channel in channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(waker) }
            }
            .takingOwnershipOfDescriptor(input: ends[0])
            .whenComplete { result in
                if case .success = result { whenReady(waker) } else { waker.dismantle() }
            }
    }

    /// On the event loop, and once until it calls back: the pipe never fills.
    func wake() {
        var byte: UInt8 = 0
        _ = write(writeEnd, &byte, 1)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { onWake() }

    func channelInactive(context: ChannelHandlerContext) { dismantle() }

    private func dismantle() {
        if writeEnd >= 0 { close(writeEnd) }
        writeEnd = -1
    }
}
