// What is sent: `@T`, the moment as 19 digits of nanoseconds on the machine's monotonic clock, `;`, and as many x as it takes.

import Glibc
import RingpostClient
import RingpostCore

struct BenchMessage: Sendable {
    /// `@T`, 19 digits, `;`.
    static let stampBytes = 22
    private static let digits = 19

    /// JSON, so that whoever sends it need not look for characters to escape.
    private let bytes: [UInt8]

    init(size: Int) {
        bytes =
            Array("\"@T".utf8) + Array(repeating: UInt8(ascii: "0"), count: Self.digits) + Array(";".utf8)
            + Array(repeating: UInt8(ascii: "x"), count: size - Self.stampBytes) + Array("\"".utf8)
    }

    /// The message as of now.
    func stamped() -> Producer.Payload {
        var bytes = bytes
        var rest = BenchClock.now()
        var index = 2 + Self.digits
        while rest > 0, index > 2 {
            bytes[index] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
            index -= 1
        }
        return .json(bytes)
    }
}

enum BenchClock {
    /// Nanoseconds, on the clock that every process of the machine shares.
    static func now() -> UInt64 { read(CLOCK_MONOTONIC) }

    /// Seconds that this process has taken of the processors, in user and system.
    static func cpu() -> Double { Double(read(CLOCK_PROCESS_CPUTIME_ID)) / 1e9 }

    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}
