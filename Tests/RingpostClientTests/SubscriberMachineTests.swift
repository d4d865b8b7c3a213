// Where a subscriber stands and how it comes back, as transcripts; and the texts that servers end connections with.
import Testing

@testable import RingpostClient

private struct HighestNumbers: RandomNumberGenerator {
    mutating func next() -> UInt64 { .max }
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
        var machine = SubscriberMachine(since: nil)
        var numbers = HighestNumbers()
        let wish = Disconnect("x", wishMilliseconds: 1_234)
        #expect(machine.onDisconnect(wish, livedMilliseconds: 0, using: &numbers) == .connect(afterMilliseconds: 1_234))
        let long = Disconnect("x", wishMilliseconds: 86_400_000)
        #expect(machine.onDisconnect(long, livedMilliseconds: 0, using: &numbers) == .connect(afterMilliseconds: 60_000))
        #expect(machine.onItem(.retry(milliseconds: 2_500)) == nil)
        #expect(machine.onDisconnect(Disconnect("x"), livedMilliseconds: 0, using: &numbers) == .connect(afterMilliseconds: 2_500))
    }

    @Test func stopMeansStop() {
        var machine = SubscriberMachine(since: nil)
        var numbers = HighestNumbers()
        let stop = Disconnect(webSocketCode: 1_002, reason: "stop: protocol_error")
        #expect(machine.onDisconnect(stop, livedMilliseconds: 0, using: &numbers) == .stop(.stopped("protocol_error (1002)")))
    }

    @Test func closeReasons() {
        #expect(Disconnect(webSocketCode: 4_008, reason: "resume: slow_consumer") == Disconnect("slow_consumer (4008)"))
        #expect(
            Disconnect(webSocketCode: 1_001, reason: "resume: going_away; retry-after-ms=1234")
                == Disconnect("going_away (1001)", wishMilliseconds: 1_234))
        #expect(Disconnect(webSocketCode: 1_000, reason: "") == Disconnect("closed (1000)"))
        #expect(Disconnect(webSocketCode: nil, reason: "") == Disconnect("closed"))
        #expect(
            Disconnect(webSocketCode: 1_011, reason: "what a mess; retry-after-ms=x") == Disconnect("what a mess; retry-after-ms=x (1011)"))
    }

    @Test func refusals() {
        let body = Array(#"{"error":{"code":"bad_cursor","message":"no"}}"#.utf8)
        let refused = SubscriberError.refused(status: 400, code: "bad_cursor", message: "no")
        #expect(Disconnect(status: 400, retryAfter: nil, body: body) == Disconnect("bad_cursor: no", final: refused))
        #expect(
            Disconnect(status: 503, retryAfter: "2", body: [])
                == Disconnect("http_503: the node answers HTTP 503", wishMilliseconds: 2_000))
        #expect(Disconnect(status: 429, retryAfter: nil, body: []).final == nil)
    }
}
