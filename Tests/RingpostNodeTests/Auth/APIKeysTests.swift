// The file of API keys: whom it lets in, what happens when it changes, and for each faulty line a sentence that names it.

import Crypto
import Foundation
import Logging
import RingpostCore
import RingpostWire
import TestSupport
import Testing

@testable import RingpostNode

@Suite struct APIKeysTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder("api-keys")
        path = folder.file("keys.jsonl")
    }

    private func keys(messagesPerSecond: Int = 100) -> APIKeys {
        APIKeys(path: path, messagesPerSecond: messagesPerSecond, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private static func secret(_ letter: Character) -> String { String(repeating: letter, count: APIKeyText.secretBytes) }
    private static func id(_ letter: Character) -> String { String(repeating: letter, count: APIKeyText.idBytes) }
    private static func text(_ letter: Character, secret: Character? = nil) -> [UInt8] {
        Array("rp_\(id(letter))_\(Self.secret(secret ?? letter))".utf8)
    }

    private static func line(_ letter: Character, _ more: String = "") -> String {
        let hash = SHA256.hash(data: Data(secret(letter).utf8)).map { String(format: "%02x", $0) }.joined()
        return #"{"id":"\#(id(letter))","hash":"sha256:\#(hash)","scopes":["read","publish-users"]\#(more)}"#
    }

    private func load(_ keys: APIKeys, _ lines: String...) throws {
        try folder.write(lines.joined(separator: "\n"), to: "keys.jsonl")
        try keys.load()
    }

    @Test func aKeyIsKnownByItsSecret() throws {
        let keys = keys()
        try load(
            keys, "# ours", Self.line("a"), "", "\t" + Self.line("b", #","names":["game:*"],"rate":7,"expires":100,"note":"n""#), "\r", "")
        let grant = try #require(keys.grant(Self.text("a"), nowSeconds: 1_000))
        #expect(grant.id == Self.id("a") && grant.allowsReadingAll && grant.allowsPublish(.user, [1]) && !grant.allowsOrders)
        let limited = try #require(keys.grant(Self.text("b"), nowSeconds: 99))
        #expect(limited.rate == 7 && limited.expires == 100 && !limited.allowsReadingAll && limited.allowsReading(Array("game:1".utf8)))
        #expect(keys.grant(Self.text("b"), nowSeconds: 100) == nil, "it has ended")
        #expect(keys.grant(Self.text("a", secret: "b"), nowSeconds: 0) == nil, "another key's secret")
        #expect(keys.grant(Self.text("c"), nowSeconds: 0) == nil, "nobody's id")
        #expect(keys.grant(Self.text("a").dropLast() + [0x62], nowSeconds: 0) == nil, "one letter off")
        for garbage in ["", "rp_", "rp__", Self.id("a"), "rp_\(Self.id("a"))_", "rp_\(Self.id("a"))_\(Self.secret("a"))="] {
            #expect(keys.grant(Array(garbage.utf8), nowSeconds: 0) == nil, "\(garbage)")
        }
    }

    /// The hash that strangers' secrets are held against is no hash of anything: an id that is not there can't be guessed a secret for.
    @Test func nobodysKeyOpensNothing() throws {
        let keys = keys()
        try load(keys, "# none")
        for letter in "abcxyz019" { #expect(keys.grant(Self.text(letter), nowSeconds: 0) == nil) }
    }

    @Test(arguments: [
        (#"{"id":"a"}"#, "is no key"), ("nonsense", "is no key"), ("[]", "is no key"), ("\u{FF}", "is no key"),
        (#"{"id":"a","hash":"md5:1","scopes":["read"]}"#, "has a hash"),
        (#"{"id":"a","hash":"sha256:00","scopes":["read"]}"#, "has a hash"),
        (line("c").replacing(#""read""#, with: #""root""#), "is no key"), (line("c", #","rate":0"#), "has a rate of 0"),
        (line("c", #","names":[""]"#), "has names"), (line("c", #","expires":"never""#), "is no key"),
        (line("a"), "has the id aaaaaaaaaaaa"), (line("c", #","note":"\#(String(repeating: "n", count: 16_384))""#), "has more than 16384"),
    ])
    func aFaultyLineIsNamed(line: String, sentence: String) throws {
        let keys = keys()
        try load(keys, "# one", Self.line("a"))
        let before = keys.generation
        try folder.write(["# one", Self.line("a"), "", line, Self.line("d")].joined(separator: "\n"), to: "keys.jsonl")
        do throws(NodeError) {
            try keys.load()
            Issue.record("\(line) was taken")
        } catch {
            #expect(error.description.contains("line 4 of \(path) \(sentence)"), "\(error)")
            #expect(!error.description.contains("sha256:0"), "\(error)")
        }
        #expect(keys.grant(Self.text("a"), nowSeconds: 0) != nil && keys.grant(Self.text("d"), nowSeconds: 0) == nil, "all or nothing")
        #expect(keys.generation == before)
    }

    @Test func aFileThatIsNotThereIsNamed() throws {
        let keys = keys()
        #expect(throws: NodeError.self) { try keys.load() }
        try folder.write("", to: "keys.jsonl")
        #expect(throws: NodeError.self, "an empty file is one that is being written") { try keys.load() }
    }

    @Test func aKeyThatIsTakenOutEnds() throws {
        let keys = keys()
        try load(keys, Self.line("a"), Self.line("b"))
        let grant = try #require(keys.grant(Self.text("a"), nowSeconds: 0))
        let before = keys.generation
        #expect(keys.objection(to: grant, now: Moment(monotonic: 0, wall: 0)) == nil)
        try load(keys, Self.line("b"))
        #expect(keys.generation > before, "connections ask again")
        #expect(keys.grant(Self.text("a"), nowSeconds: 0) == nil && keys.grant(Self.text("b"), nowSeconds: 0) != nil)
        #expect(keys.objection(to: grant, now: Moment(monotonic: 1, wall: 0))?.problem == .unauthorized, "what is under way ends too")
    }

    @Test func anOpenLinkFollowsItsKey() throws {
        let keys = keys()
        try load(keys, Self.line("a"), Self.line("b"))
        let entry = try #require(keys.entry(Self.text("a"), nowSeconds: 0))
        #expect(keys.successor(of: entry) === entry, "the very same as long as nothing has changed")
        try load(keys, Self.line("a", #","names":["game:*"]"#), Self.line("b"))
        let limited = try #require(keys.successor(of: entry))
        #expect(limited.grant.allowsPublish(.user, Array("game:1".utf8)) && !limited.grant.allowsPublish(.user, Array("x".utf8)))
        // The same id with another secret is another key.
        let other = Self.line("b").replacing(#""id":"\#(Self.id("b"))""#, with: #""id":"\#(Self.id("a"))""#)
        try load(keys, other)
        #expect(keys.successor(of: entry) == nil && keys.entry(Self.text("a", secret: "b"), nowSeconds: 0) != nil)
        try load(keys, Self.line("b"))
        #expect(keys.successor(of: entry) == nil)
        try load(keys, Self.line("a"))
        #expect(keys.successor(of: entry)?.grant.allowsPublish(.user, Array("x".utf8)) == true, "it is back")
    }

    @Test func aKeyThatEndsDoesSoOnAnOpenConnection() throws {
        let keys = keys()
        try load(keys, Self.line("a", #","expires":100"#))
        let grant = try #require(keys.grant(Self.text("a"), nowSeconds: 99))
        #expect(keys.objection(to: grant, now: Moment(monotonic: 0, wall: 99_999)) == nil)
        #expect(keys.objection(to: grant, now: Moment(monotonic: 1, wall: 100_000))?.problem == .unauthorized)
    }

    @Test func aKeyHasItsRate() throws {
        let keys = keys(messagesPerSecond: 3)
        try load(keys, Self.line("a"), Self.line("b", #","rate":1"#))
        for (letter, rate) in [("a", 3), ("b", 1)] as [(Character, Int)] {
            let grant = try #require(keys.grant(Self.text(letter), nowSeconds: 0))
            for _ in 0..<2 * rate { #expect(keys.objection(to: grant, now: Moment(monotonic: 10, wall: 0)) == nil) }
            let report = try #require(keys.objection(to: grant, now: Moment(monotonic: 10, wall: 0)))
            #expect(report.problem == .tooFast && report.message.contains("at most \(rate) messages"))
            try load(keys, Self.line("a", #","note":"n""#), Self.line("b", #","rate":1"#))
            #expect(keys.objection(to: grant, now: Moment(monotonic: 10, wall: 0))?.problem == .tooFast, "another file is no new rate")
            #expect(keys.objection(to: grant, now: Moment(monotonic: 1_010, wall: 0)) == nil)
        }
        #expect(keys.objection(to: .all, now: Moment(monotonic: 0, wall: 0)) == nil)
    }
}
