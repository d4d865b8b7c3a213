// Publishes of one shard's connections that wait for their answer.
import RingpostCore

/// Receives the answers to publishes that it has sent off.
package protocol PublishSink: AnyObject {
    func onAnswer(tag: UInt64, _ result: PublishResult)
}

struct PublishWaiters {
    /// Publishes that one shard's connections may wait for; beyond it they are answered "overloaded".
    static let countMax = 1 << 20

    struct Waiter {
        let sink: any PublishSink
        let tag: UInt64
    }

    private var waiters = RequestTable<Waiter>(countMax: PublishWaiters.countMax)

    var count: Int { waiters.count }

    /// The number under which the answer comes back; `nil` when too many wait.
    mutating func insert(_ sink: any PublishSink, tag: UInt64) -> UInt64? { waiters.insert(Waiter(sink: sink, tag: tag)) }

    /// `nil` when nobody waits under this number.
    mutating func remove(_ number: UInt64) -> Waiter? { waiters.take(number) }
}
