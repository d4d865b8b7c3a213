// Where memberships run.

import Glibc
import NIOCore
import NIOPosix

/// The thread on which a node's membership computes its rings. That takes milliseconds, so it is a thread of its own that gives way
/// to the event loops: live traffic does not wait for it. What a lease needs is little enough to be served all the same.
enum MembershipThread {
    /// A tenth of an event loop's share of a processor that both want.
    private static let niceness: Int32 = 10

    /// Lives as long as the process, as NIO's singletons do.
    private static let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)

    static let executor: any SerialExecutor = {
        let eventLoop = group.next()
        // To Linux a thread is a process of its own, and 0 is the one that asks.
        eventLoop.execute { _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, niceness) }
        return eventLoop.executor
    }()
}
