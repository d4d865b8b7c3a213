// Where a subscriber stands and how it comes back, as transcripts; and the texts that servers end connections with.
import Testing

@testable import RingpostClient

private struct HighestNumbers: RandomNumberGenerator {
    mutating func next() -> UInt64 { .max }
}

private struct LowestNumbers: RandomNumberGenerator {
    /// Small enough to become 0 in every range that is used here; 0 itself would be rejected as a biased draw, again and again.
    mutating func next() -> UInt64 { 1 << 40 }
}

extension SubscriberMachine {
    /// A machine that knows nodes a, b and c.
    fileprivate init(since: String?, follows: Bool = false) {
        self.init(
            position: .init(cursor: since), endpoints: ["a", "b", "c"].map { Endpoint(host: $0, port: 1) }, followsAddresses: follows)
    }

    /// Where the next attempt goes after a connection ended so.
    fileprivate mutating func goes(after disconnect: Disconnect) -> String {
        var numbers = LowestNumbers()
        _ = onDisconnect(disconnect, livedMilliseconds: 0, using: &numbers)
        return endpoint.host
    }
}

@Suite struct SubscriberMachineTests {
    private static let message = Message(sequence: 3, cursor: "00000000000000aa-3", id: "", at: 0, data: Array("1".utf8))

    @Test func theCursorFollowsWhatComes() {
        var machine = SubscriberMachine(since: "earliest")
        #expect(machine.cursor == "earliest")
        #expect(machine.onItem(.attached(cursor: "00000000000000aa-2")) == .attached(cursor: "00000000000000aa-2"))
        #expect(machine.cursor == "00000000000000aa-2")
        #expect(machine.onItem(.message(Self.message)) == .message(Self.message))
        #expect(machine.cursor == "00000000000000aa-3")
        #expect(machine.onItem(.gap(cursor: "00000000000000bb-9")) == .gap(cursor: "00000000000000bb-9"))
        #expect(machine.cursor == "00000000000000bb-9")
    }

    @Test func pausesGrowAndShrinkAgain() {
        var machine = SubscriberMachine(since: nil)
        var numbers = HighestNumbers()
        for milliseconds in [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000] {
            #expect(
                machine.onDisconnect(Disconnect("x"), livedMilliseconds: 0, using: &numbers) == .connect(afterMilliseconds: milliseconds))
        }
        #expect(machine.onDisconnect(Disconnect("x"), livedMilliseconds: 1_000, using: &numbers) == .connect(afterMilliseconds: 100))
    }

    @Test func theServersWishIsALowerBoundWithAMaximum() {
        let wish = Disconnect("x", wishMilliseconds: 1_234)
        let long = Disconnect("x", wishMilliseconds: 86_400_000)
        var low = LowestNumbers()
        var prompt = SubscriberMachine(since: nil)
        #expect(prompt.onDisconnect(wish, livedMilliseconds: 0, using: &low) == .connect(afterMilliseconds: 1_234))
        #expect(prompt.onDisconnect(long, livedMilliseconds: 0, using: &low) == .connect(afterMilliseconds: 60_000))
        // On top of it, so that those who were told the same don't come together: a quarter, or the pause of the attempt.
        var high = HighestNumbers()
        var late = SubscriberMachine(since: nil)
        #expect(late.onDisconnect(wish, livedMilliseconds: 0, using: &high) == .connect(afterMilliseconds: 1_234 + 308))
        #expect(late.onDisconnect(long, livedMilliseconds: 0, using: &high) == .connect(afterMilliseconds: 75_000))
        #expect(late.onItem(.retry(milliseconds: 500)) == nil)
        #expect(late.onDisconnect(Disconnect("x"), livedMilliseconds: 0, using: &high) == .connect(afterMilliseconds: 900))
        #expect(late.onDisconnect(wish, livedMilliseconds: 0, using: &high) == .connect(afterMilliseconds: 1_234 + 800))
    }

    @Test func aWishIsObeyedOnce() {
        var machine = SubscriberMachine(since: nil)
        var low = LowestNumbers()
        // What a deferred event stream says: for browsers, then for everybody.
        #expect(machine.onItem(.retry(milliseconds: 60_000)) == nil)
        var close = Disconnect(webSocketCode: nil, reason: "resume: try_later; after=60000")
        #expect(machine.onDisconnect(close, livedMilliseconds: 0, using: &low) == .connect(afterMilliseconds: 60_000))
        #expect(machine.onDisconnect(Disconnect("nothing answers"), livedMilliseconds: 0, using: &low) == .connect(afterMilliseconds: 0))
        // A stream that says no more than `retry:` is still believed.
        #expect(machine.onItem(.retry(milliseconds: 500)) == nil)
        close = Disconnect("the stream ended without a goodbye")
        #expect(machine.onDisconnect(close, livedMilliseconds: 0, using: &low) == .connect(afterMilliseconds: 500))
        #expect(machine.onDisconnect(close, livedMilliseconds: 0, using: &low) == .connect(afterMilliseconds: 500))
    }

    @Test func theAddressesTakeTurns() {
        var machine = SubscriberMachine(since: nil)
        #expect(machine.endpoint.host == "a")
        #expect((1...4).map { _ in machine.goes(after: Disconnect("x")) } == ["b", "c", "a", "b"])
    }

    @Test func anAppointmentIsKeptWhereItWasGiven() {
        var machine = SubscriberMachine(since: nil)
        #expect(machine.goes(after: Disconnect("x")) == "b")
        #expect(machine.goes(after: Disconnect(webSocketCode: 4_013, reason: "resume: try_later; after=2500")) == "b")
        let busy = Array(#"{"error":{"code":"overloaded","message":"m","retryAfterMilliseconds":2500}}"#.utf8)
        #expect(machine.goes(after: Disconnect(status: 503, retryAfter: "3", body: busy)) == "b")
        // Nobody is there any more: then the next.
        #expect(machine.goes(after: Disconnect("nothing answers")) == "c")
    }

    @Test func aNamedNodeIsPreferredIfItIsKnown() {
        func leave(_ at: String) -> Disconnect { Disconnect(webSocketCode: 1_001, reason: "resume: going_away; after=1; at=\(at)") }
        var machine = SubscriberMachine(since: nil)
        #expect(machine.goes(after: leave("c:1")) == "c")
        #expect(machine.goes(after: leave("x:1,b:1")) == "b")
        #expect(machine.goes(after: leave("x:1")) == "c", "unknown: the next one")
        #expect(machine.goes(after: leave("")) == "a")
        var follower = SubscriberMachine(since: nil, follows: true)
        #expect(follower.goes(after: leave("x:1,b:1")) == "b", "a known one first")
        #expect(follower.goes(after: leave("x:1")) == "x")
        #expect(follower.goes(after: Disconnect("nothing answers")) == "c", "and back to where it was in its own list")
    }

    @Test func stopMeansStop() {
        var machine = SubscriberMachine(since: nil)
        var numbers = HighestNumbers()
        let stop = Disconnect(webSocketCode: 1_002, reason: "stop: protocol_error")
        #expect(machine.onDisconnect(stop, livedMilliseconds: 0, using: &numbers) == .stop(.stopped("protocol_error (1002)")))
    }

    @Test func closeReasons() {
        #expect(Disconnect(webSocketCode: 4_008, reason: "resume: slow_consumer") == Disconnect("slow_consumer (4008)"))
        var leave = Disconnect("going_away (1001)", wishMilliseconds: 1_234)
        leave.at = [Endpoint(host: "10.0.0.3", port: 8_080), Endpoint(host: "::1", port: 80)]
        let reason = "resume: going_away; after=1234; new=1; at=10.0.0.3:8080,nonsense,[::1]:80"
        #expect(Disconnect(webSocketCode: 1_001, reason: reason) == leave)
        #expect(Disconnect(webSocketCode: 1_000, reason: "") == Disconnect("closed (1000)"))
        #expect(Disconnect(webSocketCode: nil, reason: "") == Disconnect("closed"))
        #expect(
            Disconnect(webSocketCode: 1_011, reason: "what a mess; after=x") == Disconnect("what a mess; after=x (1011)"))
    }

    @Test func refusals() {
        let body = Array(#"{"error":{"code":"bad_cursor","message":"no"}}"#.utf8)
        let refused = SubscriberError.refused(status: 400, code: "bad_cursor", message: "no")
        #expect(Disconnect(status: 400, retryAfter: nil, body: body) == Disconnect("bad_cursor: no", final: refused))
        #expect(
            Disconnect(status: 503, retryAfter: "2", body: [])
                == Disconnect("http_503: the node answers HTTP 503", wishMilliseconds: 2_000))
        #expect(Disconnect(status: 429, retryAfter: nil, body: []).final == nil)
        let stopping = Array(#"{"error":{"code":"stopping","message":"s","retryAfterMilliseconds":1200,"at":"b:1"}}"#.utf8)
        var leave = Disconnect("stopping: s", wishMilliseconds: 1_200)
        leave.at = [Endpoint(host: "b", port: 1)]
        #expect(Disconnect(status: 503, retryAfter: "2", body: stopping) == leave, "milliseconds before seconds")
    }
}
