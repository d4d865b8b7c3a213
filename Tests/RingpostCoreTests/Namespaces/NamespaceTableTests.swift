// Which channels belong to which namespace, what clients may do there, and by what nodes with other rules are told apart.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct NamespaceTableTests {
    private static func namespace(_ name: String, _ change: (inout Namespace) -> Void = { _ in }) throws -> Namespace {
        var namespace = try #require(Namespace(name: Array(name.utf8)))
        change(&namespace)
        return namespace
    }

    private static func table(_ names: String...) throws -> NamespaceTable {
        try #require(NamespaceTable(names.map { try namespace($0) }))
    }

    private static func key(_ name: String, _ kind: KeyKind = .channel) -> Key {
        Key(kind, trusted: Array(name.utf8), hash: KeyHash(rawValue: 1))
    }

    @Test func aChannelIsInWhatStandsBeforeItsFirstColon() throws {
        let table = try Self.table("game", "chat", "a", "é", "chat2")
        for (name, expected) in [
            "chat:1": "chat", "chat:": "chat", "chat:a:b": "chat", "game:x": "game", "a:": "a", "é:1": "é", "chat2:1": "chat2",
        ] { #expect(table[Self.key(name)]?.text == expected, "\(name)") }
        for name in ["chat", "chat1:x", "Chat:1", ":chat:1", "cha:1", "x", "b:a", "e\u{301}:1", "zz:1"] {
            #expect(table[Self.key(name)] == nil, "\(name)")
        }
        #expect(table[Self.key("chat:1", .user)] == nil, "users are in no namespace")
    }

    @Test func everyOneIsFound() throws {
        let names = (0..<NamespaceTable.countMax).map { "n\($0)" }
        let table = try #require(NamespaceTable(names.map { try Self.namespace($0) }))
        for name in names { #expect(table[Self.key("\(name):x")]?.text == name) }
        #expect(try NamespaceTable((names + ["more"]).map { try Self.namespace($0) }) == nil, "there is a bound")
        #expect(try NamespaceTable([Self.namespace("a"), Self.namespace("b"), Self.namespace("a")]) == nil, "one of each name")
    }

    @Test func namesThatNoChannelCanBeginWith() {
        let long = Array(repeating: UInt8(ascii: "a"), count: Namespace.nameBytesMax + 1)
        for name in [[], Array("a:b".utf8), Array(":".utf8), [0x07], [0xFF], long] { #expect(Namespace(name: name) == nil, "\(name)") }
        #expect(Namespace(name: Array(long.dropLast())) != nil)
    }

    @Test func withoutAnyNothingIsSaid() {
        let table = NamespaceTable()
        #expect(table.isEmpty && table[Self.key("chat:1")] == nil && table.number(of: Self.key("chat:1")) == 0)
        #expect(table.report(.tooFast, Self.key("chat:1")) == ProblemReport(.tooFast))
    }

    // MARK: Clients

    private static func grant(_ user: String?, _ names: [String]) throws -> ClientGrant {
        let names = try #require(NamePatterns(names))
        return ClientGrant(
            user: user.map { Array($0.utf8) }, subscribe: names, presence: names, publish: names, publishUsers: .none, expires: nil)
    }

    @Test(
        arguments: [
            (nil, [true, false, true, true]), (.nobody, [true, false, false, false]), (.tokens, [true, true, false, false]),
            (.anybody, [true, true, true, true]),
        ] as [(Namespace.Audience?, [Bool])])
    func whoMayWithoutAGrant(audience: Namespace.Audience?, expected: [Bool]) throws {
        let table = try #require(
            NamespaceTable([
                Self.namespace("chat") {
                    $0.publish = audience
                    $0.subscribe = audience
                }
            ]))
        // A token that grants it, one that does not, and where nobody is asked for one: opened to all, and to all but for this.
        let grants = [
            try Self.grant("ann", ["chat:1"]), try Self.grant("ann", []), try Self.grant(nil, ["*"]), try Self.grant(nil, ["chat:1"]),
        ]
        #expect(grants.map { $0.allowsSubscribe(to: Self.key("chat:1"), in: table) } == expected)
        #expect(grants.map { $0.allowsPublish(to: Self.key("chat:1"), in: table) } == expected)
        for grant in grants {
            for name in ["room", "chat", "game:1"] {
                #expect(grant.allowsSubscribe(to: Self.key(name), in: table) == grant.allowsSubscribe(to: Self.key(name)), "\(name)")
            }
            let user = Self.key("chat:1", .user)
            #expect(grant.allowsPublish(to: user, in: table) == grant.allowsPublish(to: user))
        }
    }

    @Test func presenceCanBeSwitchedOff() throws {
        let table = try #require(NamespaceTable([Self.namespace("quiet") { $0.allowsPresence = false }, Self.namespace("loud")]))
        let grant = try Self.grant("ann", ["*"])
        #expect(!grant.allowsPresence(of: Self.key("quiet:1"), in: table))
        #expect(grant.allowsPresence(of: Self.key("loud:1"), in: table) && grant.allowsPresence(of: Self.key("quiet"), in: table))
        #expect(try !Self.grant("ann", []).allowsPresence(of: Self.key("loud:1"), in: table), "it is no grant")
    }

    // MARK: Nodes

    @Test func theDigestTellsRulesApart() throws {
        let changes: [(inout Namespace) -> Void] = [
            { _ in }, { $0.historyMessages = 1 }, { $0.historyBytes = 1 }, { $0.historySeconds = 1 }, { $0.timeToLiveSeconds = 1 },
            { $0.allowsPresence = false }, { $0.publish = .nobody }, { $0.publish = .tokens }, { $0.publish = .anybody },
            { $0.subscribe = .nobody }, { $0.subscribe = .tokens }, { $0.subscribe = .anybody }, { $0.messagesPerSecond = 1 },
            { $0.subscribers = 1 }, { $0.payloadBytes = 1 }, { $0.channels = 1 }, { $0.bytes = 1 }, { $0.bytes = 2 },
        ]
        let tables = try changes.map { try #require(NamespaceTable([Self.namespace("a", $0)])) }
        var digests = Set(tables.map(\.digest))
        #expect(digests.count == changes.count)
        digests.formUnion([NamespaceTable().digest, try Self.table("b").digest, try Self.table("a", "b").digest])
        #expect(digests.count == changes.count + 3)
        #expect(try Self.table("b", "a").digest == Self.table("a", "b").digest, "the order in the file is nobody's business")
    }

    @Test func aProblemNamesTheNamespaceWhoseRuleItIs() throws {
        let table = try #require(
            NamespaceTable([
                Self.namespace("chat") {
                    $0.messagesPerSecond = 5
                    $0.subscribers = 1
                    $0.channels = 1
                }, Self.namespace("loose"),
            ]))
        for problem in [Problem.tooFast, .channelFull, .overloaded] {
            #expect(table.report(problem, Self.key("chat:1")).message.contains("namespace \"chat\""), "\(problem)")
            #expect(table.report(problem, Self.key("loose:1")) == ProblemReport(problem), "\(problem)")
            #expect(table.report(problem, Self.key("room")) == ProblemReport(problem), "\(problem)")
        }
        #expect(table.report(.retry, Self.key("chat:1")) == ProblemReport(.retry))
    }
}
