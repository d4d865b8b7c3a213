import RingpostWire
import Testing

@Suite struct HTTPDateTests {
    /// As `date -u` says them.
    private static let dates: [(seconds: Int64, text: String)] = [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"), (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"), (951_868_800, "Wed, 01 Mar 2000 00:00:00 GMT"),
        (1_677_628_799, "Tue, 28 Feb 2023 23:59:59 GMT"), (1_677_628_800, "Wed, 01 Mar 2023 00:00:00 GMT"),
        (1_767_225_599, "Wed, 31 Dec 2025 23:59:59 GMT"), (1_767_225_600, "Thu, 01 Jan 2026 00:00:00 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
    ]

    @Test(arguments: dates) func lines(seconds: Int64, text: String) {
        #expect(String(decoding: HTTPDate(seconds: seconds).line, as: UTF8.self) == "Date: \(text)\r\n")
    }

    @Test func itGoesOn() {
        var date = HTTPDate(seconds: 0)
        for (seconds, text) in Self.dates + Self.dates.reversed() {
            date.set(seconds: seconds)
            #expect(String(decoding: date.line, as: UTF8.self) == "Date: \(text)\r\n")
        }
    }
}
