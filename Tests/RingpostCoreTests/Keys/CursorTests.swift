// The text of cursors: what is written is read again, and nothing else is believed. What a cursor means is the store's
// business.
import RingpostCore
import Testing

@Suite struct CursorTests {
    @Test(
        arguments: [
            (0, 0, "0000000000000000-0"),
            (1, 9, "0000000000000001-9"),
            (0xDEAD_BEEF_0000_0001, 10, "deadbeef00000001-10"),
            (.max, .max, "ffffffffffffffff-18446744073709551615"),
        ] as [(UInt64, UInt64, String)])
    func roundTrip(incarnation: UInt64, sequence: UInt64, text: String) {
        let cursor = Cursor(incarnation: incarnation, sequence: sequence)
        #expect(cursor.text == text)
        #expect(Cursor(text: Array(text.utf8)) == cursor)
        #expect(text.utf8.count <= Cursor.textBytesMax)
    }

    @Test(arguments: [
        "", "0", "-1", "0000000000000000", "0000000000000000-", "000000000000000-00", "00000000000000000-1", "0000000000000000+1",
        "0000000000000000--1", "0000000000000000-+1", "0000000000000000-1 ", " 0000000000000000-1", "000000000000000g-1",
        "0000000000000000-1a", "0000000000000000-１", "0x00000000000000-1", "0000000000000000-1-1", "now", "0000000000000000_1",
        "ffffffffffffffff-18446744073709551616", "ffffffffffffffff-99999999999999999999", "ffffffffffffffff-184467440737095516150",
        "0000000000000000-000000000000000000001", "0000000000000000-1\u{0}",
    ])
    func malformed(text: String) { #expect(Cursor(text: Array(text.utf8)) == nil) }

    @Test func putsUpWithOtherSpellings() {
        let cursor = Cursor(incarnation: 0xABCD, sequence: 7)
        #expect(Cursor(text: Array("000000000000ABCD-7".utf8)) == cursor)
        #expect(Cursor(text: Array("000000000000abcd-007".utf8)) == cursor)
    }

    @Test(arguments: [0, 9, 10, 99, 100, 12_345, .max - 1, .max] as [UInt64])
    func decimalDigits(number: UInt64) {
        var bytes: [UInt8] = [0x78]
        bytes.append(decimal: number)
        #expect(bytes == Array("x\(number)".utf8))
    }

    @Test func hexadecimalDigits() {
        #expect(UInt64(0x0123_4567_89AB_CDEF).hexadecimal == "0123456789abcdef")
        #expect(UInt64(hexadecimal: Array("f".utf8)) == 15)
        #expect(UInt64(hexadecimal: Array("".utf8)) == nil)
        #expect(UInt64(hexadecimal: Array("00000000000000001".utf8)) == nil)
        #expect(MessageID(high: 1, low: .max).text == "0000000000000001ffffffffffffffff")
    }
}
