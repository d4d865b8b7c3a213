// Times in a store are counted on a clock of the store's own, which stands still while no process has the store open. So what is kept is
// what remains of a time, and nothing has to be rewritten for that: a receipt that was remembered for thirty seconds, ten of which had gone
// when the node stopped, is remembered for twenty more when it comes back, however long it was away.

/// The store's time, and how it follows from the node's.
public struct StoreClock: Hashable, Sendable {
    /// What a process adds to its own monotonic milliseconds.
    let offset: Int64
    /// The latest moment that was written. Another process goes on from there.
    public private(set) var now: Int64

    /// A clock that goes on.
    ///
    /// - Parameters:
    ///   - last: the store's time that was written last; 0 for a new store.
    ///   - monotonic: the node's time at this moment.
    public init(goingOnFrom last: Int64, at monotonic: Int64) {
        offset = last &- monotonic
        now = last
    }

    /// It is now this time on the node's clock. The store's never goes back: several event loops read theirs.
    public mutating func advance(to monotonic: Int64) { now = max(now, monotonic &+ offset) }

    /// The node's time of this moment.
    public var monotonic: Int64 { now &- offset }

    /// A time of the node's clock; the ends stay what they are: "never" and "always".
    func stored(_ monotonic: Int64) -> Int64 { monotonic == .max || monotonic == .min ? monotonic : monotonic &+ offset }
}
