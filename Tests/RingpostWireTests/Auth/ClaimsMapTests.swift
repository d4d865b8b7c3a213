// Grants in claims that were written for others: what is read where, and that nothing becomes a wider grant than it was.
import RingpostCore
import Testing

@testable import RingpostWire

@Suite struct ClaimsMapTests {
    private static func patterns(_ grant: GrantClaim, _ map: [String], _ claims: String, user: String = "alice") throws -> NamePatterns {
        let json = Array(claims.utf8)
        try JSONText.check(document: json)
        return try ClaimsMap(map).patterns(of: grant, in: JSONObject(valid: json[...], countMax: .max), user: Array(user.utf8))
    }

    private static func channels(_ map: [String], _ claims: String, of names: [String], _ grant: GrantClaim = .subscribe) throws -> [String]
    {
        let patterns = try patterns(grant, map, claims)
        return names.filter { patterns.matches(Array($0.utf8)) }
    }

    private static func fault(_ map: [String], _ claims: String, _ grant: GrantClaim = .subscribe) throws -> String? {
        do { _ = try patterns(grant, map, claims) } catch let fault as ClaimsMapFault { return fault.message }
        return nil
    }

    private static let names = ["news", "game:1", "a", "b", "inbox:alice"]

    @Test func withoutAMapGrantsStandInTheirOwnClaims() throws {
        let claims =
            #"{"subscribe":["news","game:*"],"presence":["a"],"publish":["b"],"publishUsers":["{user}"],"channels":["a"],"subs":{"b":{}}}"#
        #expect(try Self.channels([], claims, of: Self.names) == ["news", "game:1"])
        #expect(try Self.channels([], claims, of: Self.names, .presence) == ["a"])
        #expect(try Self.channels([], claims, of: Self.names, .publish) == ["b"])
        #expect(try Self.patterns(.publishUsers, [], claims).matches(Array("alice".utf8)))
        let history = #"{"history":["game:*"],"historyUsers":["{user}"]}"#
        #expect(try Self.channels([], history, of: Self.names, .history) == ["game:1"])
        #expect(try Self.patterns(.historyUsers, [], history).matches(Array("alice".utf8)))
        #expect(try Self.patterns(.historyUsers, [], history, user: "bob").matches(Array("alice".utf8)) == false)
        #expect(try Self.patterns(.history, [], claims).isEmpty && Self.patterns(.historyUsers, [], claims).isEmpty)
        #expect(try Self.patterns(.subscribe, [], #"{"subscribe":null}"#).isEmpty && Self.patterns(.subscribe, [], "{}").isEmpty)
    }

    @Test func centrifugosChannelsAndSubs() throws {
        let claims =
            #"{"channels":["news"],"subs":{"game:1":{"override":{"presence":{"value":true}}},"a":{}},"subscribe":["b"],"publish":["b"]}"#
        #expect(try Self.channels(["centrifugo"], claims, of: Self.names) == ["news", "game:1", "a"], "subscribe is not read then")
        #expect(try Self.channels(["centrifugo"], claims, of: Self.names, .publish) == ["b"], "what the map leaves out is where it was")
        #expect(try Self.channels(["centrifugo", "subscribe=subscribe"], claims, of: Self.names) == ["news", "game:1", "a", "b"])
        #expect(try Self.channels(["centrifugo"], #"{"channels":[]}"#, of: Self.names) == [])
    }

    @Test func aStarIsNoWildcardInCentrifugo() throws {
        for claims in [#"{"channels":["a*"]}"#, #"{"channels":["*"]}"#, #"{"subs":{"a*":{}}}"#, #"{"channels":["inbox:{user}"]}"#] {
            #expect(try Self.fault(["centrifugo"], claims)?.contains("would name several here") == true, "\(claims)")
        }
        #expect(try Self.channels(["centrifugo"], #"{"channels":["a*b"]}"#, of: ["a*b", "axb"]) == ["a*b"])
    }

    @Test func mercuresTopics() throws {
        let book = "https://example.com/books/1"
        let claims =
            #"{"mercure":{"subscribe":["https://example.com/books/1","news"],"publish":["*"],"payload":{"x":1}},"subscribe":["a"]}"#
        #expect(try Self.channels(["mercure"], claims, of: [book, book + "/2", "news", "a"]) == [book, "news"])
        #expect(try Self.patterns(.publish, ["mercure"], claims).isAll)
        #expect(try Self.patterns(.subscribe, ["mercure"], #"{"mercure":{}}"#).isEmpty)
        #expect(try Self.patterns(.subscribe, ["mercure"], #"{"mercure":null}"#).isEmpty)
    }

    @Test func templatesAreRefused() throws {
        for topic in ["https://example.com/books/{id}", "{user}", "{?topic}", "a}"] {
            #expect(
                try Self.fault(["mercure"], #"{"mercure":{"subscribe":["\#(topic)"]}}"#)?.contains("URI templates are not taken") == true)
        }
        #expect(try Self.fault(["mercure"], #"{"mercure":{"subscribe":["books/*"]}}"#)?.contains("would name several") == true)
        #expect(
            try Self.fault(["mercure"], #"{"mercure":{"subscribe":[{"match":"*"}]}}"#)?.contains("must be a list of channel names") == true)
        #expect(try Self.fault(["mercure"], #"{"mercure":["*"]}"#) == #""mercure" must be an object"#)
    }

    @Test func pairsNameAClaimAtAnyLevel() throws {
        let claims = #"{"realm":{"push":{"rooms":["game:*","inbox:{user}"]}},"https://example.com/watch":["a"],"subscribe":["b"]}"#
        let map = ["subscribe=realm.push.rooms", "presence=https://example.com/watch"]
        #expect(try Self.channels(map, claims, of: Self.names) == ["game:1", "inbox:alice"])
        #expect(try Self.channels(map, claims, of: Self.names, .presence) == ["a"])
        #expect(try Self.fault(map, #"{"realm":{"push":["x"]}}"#) == #""realm.push" must be an object"#)
        #expect(try Self.fault(map, #"{"realm":{"push":{"rooms":{"a":{}}}}}"#) == #""realm.push.rooms" must be a list of channel names"#)
    }

    @Test func boundsHoldOverAllClaimsOfAGrant() throws {
        let half = (0..<NamePatterns.countMax / 2).map { "\"r\($0)\"" }.joined(separator: ",")
        #expect(try Self.fault(["subscribe=x", "subscribe=y"], #"{"x":[\#(half)],"y":[\#(half)]}"#) == nil)
        #expect(
            try Self.fault(["subscribe=x", "subscribe=y"], #"{"x":[\#(half),"a"],"y":[\#(half)]}"#)?.contains("take at most 256 names")
                == true)
        #expect(try Self.fault([], #"{"subscribe":["x{user}*"]}"#)?.contains("a * can't stand right behind {user}") == true)
    }

    @Test(arguments: [
        "", "mercury", "subscribe", "subscribe=", "=x", "listen=x", "subscribe=a..b", "subscribe=.a", "subscribe=a.b.c.d.e.f.g.h.i",
    ])
    func mapsThatAreNone(text: String) {
        #expect(throws: ClaimsMapFault.self) { try ClaimsMap([text]) }
    }

    @Test func claimsOfAGrantHaveABound() throws {
        let pairs = (0..<ClaimsMap.sourcesMax).map { "subscribe=c\($0)" }
        #expect(throws: Never.self) { try ClaimsMap(pairs + pairs) }
        #expect(throws: ClaimsMapFault.self) { try ClaimsMap(pairs + ["subscribe=more"]) }
    }
}
