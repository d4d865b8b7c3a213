// What is asked of a history: `since`, `before` and `limit` in a query.
import HashRing
import RingpostCore
import RingpostWire

enum HistoryFuzzer {
    static let words = [
        "since=", "before=", "limit=", "&", "earliest", "0123456789abcdef-42", "%30", "+", "-18446744073709551615", "1000", "-1", "user=a",
    ]

    static func check(_ input: UnsafeRawBufferPointer) {
        guard let query = HTTPQuery(input) else { return }
        let parameters: HistoryParameters
        do throws(ProblemReport) { parameters = try HistoryParameters(query) } catch {
            demand(!error.message.isEmpty && (error.problem == .badCursor || error.problem == .badParameter), "\(error)")
            return
        }
        demand((1...HistoryQuery.countMax).contains(parameters.limit), "\(parameters.limit) messages")
        for name in ["since", "before", "limit"] { demand(query.count(of: name) <= 1, "\(name) is taken though it is given twice") }
        guard let key = try? Key(.user, name: [0x61], hasher: KeyHasher(seed: SipKey(ascii: "ringpost fuzzing"))) else { return }
        let asked = parameters.query(of: key)
        demand(asked.isBackwards == (query.bytes("since") == nil), "the page is read the wrong way")
        demand(asked.countMax == parameters.limit, "\(asked.countMax) messages")
        if case .now = asked.start { demand(false, "a page of nothing") }
        demand(asked.end == (query.bytes("since") == nil ? nil : parameters.before), "the page ends elsewhere")
    }
}
