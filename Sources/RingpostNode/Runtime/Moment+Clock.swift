// Reading the clocks for an event loop. Machines never do; shells read them here and hand the time on.
import Glibc
import RingpostCore

extension Moment {
    /// The time now.
    package static func now() -> Moment {
        Moment(monotonic: MonotonicClock.nowMilliseconds(), wall: read(CLOCK_REALTIME) / 1_000_000)
    }

    package static func monotonicMicroseconds() -> Int64 { read(CLOCK_BOOTTIME) / 1_000 }

    package static func wallMicroseconds() -> Int64 { read(CLOCK_REALTIME) / 1_000 }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
