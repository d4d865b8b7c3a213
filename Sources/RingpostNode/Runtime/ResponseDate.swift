// The date for the responses of one shard: the clock is read once a second.
import RingpostCore
import RingpostWire

struct ResponseDate {
    private var date = HTTPDate(seconds: 0)
    /// In the time of ``ShardRuntime/turnMilliseconds()``.
    private var changesAt = Int64.min

    mutating func date(now: Int64) -> HTTPDate {
        if now >= changesAt {
            let wall = Moment.now().wall
            date.set(seconds: wall / 1_000)
            changesAt = now + 1_000 - wall % 1_000
        }
        return date
    }
}
