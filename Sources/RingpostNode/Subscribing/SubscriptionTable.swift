// The subscriptions of one shard's clients, by the number of their current attachment, and those of them that wait for something.
import RingpostCore

struct SubscriptionTable {
    private var subscriptions: RequestTable<Subscription>
    /// They are looked at in every tick.
    private(set) var pending: Set<UInt64> = []

    init(countMax: Int) { subscriptions = RequestTable(countMax: countMax) }

    var count: Int { subscriptions.count }
    var numbers: [UInt64] { subscriptions.numbers }

    subscript(number: UInt64) -> Subscription? { subscriptions[number] }

    /// The number of a new attachment; `nil` when there are too many.
    mutating func insert(_ subscription: Subscription) -> UInt64? { subscriptions.insert(subscription) }

    mutating func remove(_ number: UInt64) {
        _ = subscriptions.take(number)
        pending.remove(number)
    }

    mutating func setPending(_ number: UInt64, _ isPending: Bool) {
        if isPending { pending.insert(number) } else { pending.remove(number) }
    }
}
