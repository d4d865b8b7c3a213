// What is asked of a history: ?since=…&before=…&limit=…
import RingpostCore

/// The query of `GET /v1/users/{user}/messages`, `GET /v1/channels/{channel}/messages` and `GET /v1/history`.
package struct HistoryParameters: Equatable, Sendable {
    /// After which message, or the oldest; `nil` where nothing is said.
    package let since: AttachStart?
    /// Before which message.
    package let before: Cursor?
    /// How many.
    package let limit: Int

    /// Reads them. What is not understood exactly is refused: a page from elsewhere looks like a page.
    package init(_ query: HTTPQuery) throws(ProblemReport) {
        for name in ["since", "before", "limit"] where query.count(of: name) > 1 {
            throw ProblemReport(.badParameter, "\(name) is given twice")
        }
        switch query.bytes("since") {
        case nil: since = nil
        case let text? where text.elementsEqual("earliest".utf8): since = .earliest
        case let text?:
            guard let cursor = Cursor(text: text) else {
                throw ProblemReport(.badCursor, "since takes the cursor of a message, or earliest")
            }
            since = .after(cursor)
        }
        if let text = query.bytes("before") {
            guard let cursor = Cursor(text: text) else { throw ProblemReport(.badCursor, "before takes the cursor of a message") }
            before = cursor
        } else {
            before = nil
        }
        guard let text = query.bytes("limit") else {
            limit = HistoryQuery.countDefault
            return
        }
        guard text.count <= 4, text.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int(String(decoding: text, as: UTF8.self)),
            (1...HistoryQuery.countMax).contains(number)
        else { throw ProblemReport(.badParameter, "limit takes a number from 1 to \(HistoryQuery.countMax)") }
        limit = number
    }

    /// The question about a key.
    package func query(of key: Key) -> HistoryQuery { HistoryQuery(key: key, since: since, before: before, countMax: limit) }
}

extension HistoryPage {
    /// Appends `{"user":"alice","messages":[…],"next":"…","more":true,"gap":true}`.
    package func appendJSON(of key: Key, to bytes: inout [UInt8]) {
        bytes.reserveCapacity(bytes.count + 128 + 2 * key.name.count + messages.reduce(0) { $0 + $1.envelope.count + 1 })
        bytes.append(contentsOf: (key.kind == .user ? "{\"user\":" : "{\"channel\":").utf8)
        key.name.withUnsafeBytes { JSONText.appendQuoted($0, to: &bytes) }
        bytes.append(contentsOf: ",\"messages\":[".utf8)
        for (index, message) in messages.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            bytes.append(contentsOf: message.envelope)
        }
        bytes.append(contentsOf: "],\"next\":\"".utf8)
        next.append(to: &bytes)
        bytes.append(contentsOf: "\",\"more\":\(hasMore)".utf8)
        if gap { bytes.append(contentsOf: ",\"gap\":true".utf8) }
        bytes.append(contentsOf: "}\n".utf8)
    }
}
