// The one clock that leases, time-outs and budgets are measured with. CLOCK_BOOTTIME goes on while the machine is suspended;
// CLOCK_MONOTONIC stops, and a node that wakes up would take its lease for fresh.

import Glibc

/// Milliseconds since the machine was started. They compare only within one machine.
public enum MonotonicClock {
    /// The present time. Takes some 20 ns.
    public static func nowMilliseconds() -> Int64 {
        var time = timespec()
        let result = clock_gettime(CLOCK_BOOTTIME, &time)
        precondition(result == 0, "CLOCK_BOOTTIME can't be read, errno \(errno)")
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }
}
