// Times as people read them, on this machine's clock.

import Glibc

enum Clock {
    /// `HH:MM:SS`
    static func time(_ milliseconds: Int64) -> String {
        let parts = parts(milliseconds)
        return [parts.tm_hour, parts.tm_min, parts.tm_sec].map(twoDigits).joined(separator: ":")
    }

    /// `YYYY-MM-DD HH:MM:SS`
    static func text(_ milliseconds: Int64) -> String {
        let parts = parts(milliseconds)
        return "\(parts.tm_year + 1_900)-\(twoDigits(parts.tm_mon + 1))-\(twoDigits(parts.tm_mday)) \(time(milliseconds))"
    }

    private static func parts(_ milliseconds: Int64) -> tm {
        var seconds = time_t(milliseconds / 1_000)
        var parts = tm()
        localtime_r(&seconds, &parts)
        return parts
    }

    private static func twoDigits(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
