// Where clients say that they stand: cursors of one mailbox, and resume points of several.
import RingpostCore

enum CursorFuzzer {
    static let words = ["0123456789abcdef-", "-0", ".", "-18446744073709551615", "ffffffffffffffff-", "."]

    static func check(_ input: UnsafeRawBufferPointer) {
        if let cursor = Cursor(text: input) {
            demand(cursor.text.utf8.count <= Cursor.textBytesMax, "a cursor of \(cursor.text.utf8.count) bytes")
            demand(Cursor(text: Array(cursor.text.utf8)) == cursor, "\(cursor.text) is something else again")
            var point = ResumePoint()
            point.user = cursor
            demand(ResumePoint(text: input) == point, "a cursor is no resume point")
        }
        if let point = ResumePoint(text: input) {
            demand(point.channelCursors.count <= ResumePoint.channelsMax, "a resume point of \(point.channelCursors.count) channels")
            demand(point.user != nil || !point.channelCursors.isEmpty, "a resume point of nothing")
            demand(ResumePoint(text: Array(point.text.utf8)) == point, "\(point.text) is something else again")
        }
    }
}
