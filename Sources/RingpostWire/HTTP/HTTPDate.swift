// The Date header of responses (RFC 9110 6.6.1). It changes once a second and stands in each response: it is kept as the bytes that are
// written.

/// A second, as the line that a response has it in.
public struct HTTPDate: Sendable, Equatable {
    /// `Date: Sun, 06 Nov 1994 08:49:37 GMT` and CR LF.
    public private(set) var line: [UInt8]
    /// In seconds since 1970.
    public private(set) var seconds: Int64

    /// - Parameter seconds: since 1970.
    public init(seconds: Int64) {
        line = Array("Date: Thu, 01 Jan 1970 00:00:00 GMT\r\n".utf8)
        self.seconds = 0
        set(seconds: seconds)
    }

    /// Goes on to another second, in the memory that it has.
    public mutating func set(seconds: Int64) {
        if seconds == self.seconds { return }
        self.seconds = seconds
        let day = seconds.quotient(by: 86_400)
        let second = Int(seconds - day * 86_400)
        let date = Self.civil(day: day)
        // 1970 began on a Thursday.
        write(Self.weekdays, Int(day + 4 - (day + 4).quotient(by: 7) * 7), at: 6)
        write(two: date.day, at: 11)
        write(Self.months, date.month - 1, at: 14)
        write(two: date.year / 100, at: 18)
        write(two: date.year % 100, at: 20)
        write(two: second / 3_600, at: 23)
        write(two: second / 60 % 60, at: 26)
        write(two: second % 60, at: 29)
    }

    /// As the header's value.
    public var text: String { String(decoding: line.dropFirst(6).dropLast(2), as: UTF8.self) }

    private static let weekdays: StaticString = "SunMonTueWedThuFriSat"
    private static let months: StaticString = "JanFebMarAprMayJunJulAugSepOctNovDec"

    private mutating func write(_ names: StaticString, _ index: Int, at offset: Int) {
        for letter in 0..<3 { line[offset + letter] = names.utf8Start[3 * index + letter] }
    }

    private mutating func write(two number: Int, at offset: Int) {
        line[offset] = UInt8(ascii: "0") + UInt8(number / 10 % 10)
        line[offset + 1] = UInt8(ascii: "0") + UInt8(number % 10)
    }

    /// The date of a day since 1970, in the Gregorian calendar. Years are counted from March on, so that a leap day is the last one; 400 of
    /// them have 146,097 days.
    private static func civil(day: Int64) -> (year: Int, month: Int, day: Int) {
        let shifted = day + 719_468
        let era = shifted.quotient(by: 146_097)
        let dayOfEra = Int(shifted - era * 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + Int(era) * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }
}

extension Int64 {
    /// Rounded down, also below zero.
    fileprivate func quotient(by divisor: Int64) -> Int64 { self >= 0 ? self / divisor : (self - divisor + 1) / divisor }
}
