// What is asked of a history, and the answer's form.
import HashRing
import RingpostCore
import Testing

@testable import RingpostWire

@Suite struct HistoryParametersTests {
    private static let cursor = Cursor(incarnation: 0x0123_4567_89AB_CDEF, sequence: 42)
    private let hasher: KeyHasher

    init() throws { hasher = KeyHasher(seed: try #require(SipKey(bytes: [UInt8](repeating: 7, count: 16)))) }

    private static func read(_ query: String) throws -> HistoryParameters {
        try HistoryParameters(try #require(HTTPQuery(Array(query.utf8))))
    }

    @Test func whatIsAsked() throws {
        let key = try Key(.user, name: [0x61], hasher: hasher)
        let newest = try Self.read("").query(of: key)
        #expect(newest.start == .newest && newest.end == nil && newest.countMax == HistoryQuery.countDefault && newest.isBackwards)
        let before = try Self.read("before=0123456789abcdef-42&limit=7&user=x").query(of: key)
        #expect(before.start == .before(Self.cursor) && before.end == nil && before.countMax == 7 && before.isBackwards)
        let after = try Self.read("since=0123456789abcdef-42").query(of: key)
        #expect(after.start == .after(Self.cursor) && after.end == nil && !after.isBackwards)
        let between = try Self.read("since=earliest&before=0123456789abcdef%2D42&limit=1000").query(of: key)
        #expect(between.start == .earliest && between.end == Self.cursor && between.countMax == 1_000)
    }

    @Test(arguments: [
        ("since=", Problem.badCursor), ("since=now", .badCursor), ("since=0123456789abcdef-", .badCursor), ("before=earliest", .badCursor),
        ("before=", .badCursor), ("since=.0123456789abcdef-42", .badCursor), ("limit=", .badParameter), ("limit=0", .badParameter),
        ("limit=1001", .badParameter), ("limit=-1", .badParameter), ("limit=%2B1", .badParameter), ("limit=1e2", .badParameter),
        ("limit=00001", .badParameter), ("limit=99999999999999999999", .badParameter), ("limit=1&limit=1", .badParameter),
        ("since=earliest&since=earliest", .badParameter), ("before=0123456789abcdef-1&before=", .badParameter),
    ])
    func whatIsNotUnderstood(query: String, problem: Problem) throws {
        let error = #expect(throws: ProblemReport.self) { try Self.read(query) }
        #expect(error?.problem == problem && error?.message.isEmpty == false, "\(query)")
    }

    @Test func anAnswer() throws {
        func json(_ page: HistoryPage, _ kind: KeyKind, _ name: String) throws -> String {
            var bytes: [UInt8] = []
            page.appendJSON(of: try Key(kind, name: Array(name.utf8), hasher: hasher), to: &bytes)
            return String(decoding: bytes, as: UTF8.self)
        }
        let messages = [1, 2].map { StoredMessage(sequence: $0, envelope: Array("{\"seq\":\($0)}".utf8)) }
        #expect(
            try json(HistoryPage(messages: messages, next: Self.cursor, hasMore: true, gap: true), .user, #"al"ice"#)
                == #"{"user":"al\"ice","messages":[{"seq":1},{"seq":2}],"next":"0123456789abcdef-42","more":true,"gap":true}"# + "\n")
        #expect(
            try json(HistoryPage(messages: [], next: Self.cursor, hasMore: false, gap: false), .channel, "room")
                == #"{"channel":"room","messages":[],"next":"0123456789abcdef-42","more":false}"# + "\n")
    }
}
