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

    /// The same of seconds since 1970.
    static func text(seconds: Int64) -> String { text(min(max(seconds, secondsMin), secondsMax) * 1_000) }

    /// The years 1 to 9999: what is beyond is shown as the last that is not.
    private static let secondsMin: Int64 = -62_135_510_400
    private static let secondsMax: Int64 = 253_402_214_400

    private static func parts(_ milliseconds: Int64) -> tm {
        var seconds = time_t(min(max(milliseconds / 1_000, secondsMin), secondsMax))
        var parts = tm()
        localtime_r(&seconds, &parts)
        return parts
    }

    private static func twoDigits(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
