// What becomes of a subscriber's token, as transcripts.
import Testing

@testable import RingpostClient

@Suite struct TokenMachineTests {
    private static let expired = Disconnect(webSocketCode: 4_002, reason: "renew: token_expired")
    private static let unauthorized = Disconnect(
        status: 401, retryAfter: nil, body: Array(#"{"error":{"code":"unauthorized","message":"m"}}"#.utf8))
    private static let refused = SubscriberError.refused(status: 401, code: "unauthorized", message: "m")

    /// Why the same token ends the subscription.
    private static func same(_ error: SubscriberError) -> Disconnect {
        Disconnect("the token source gives the same token again", final: error)
    }

    private static func holding(_ token: String) -> TokenMachine {
        var machine = TokenMachine(hasSource: true)
        #expect(machine.onToken(token) == nil)
        machine.onTaken()
        return machine
    }

    @Test func oneIsAskedForFirstAndKept() {
        var machine = TokenMachine(hasSource: true)
        #expect(machine.needsToken && machine.token == nil)
        #expect(machine.onToken("a") == nil)
        #expect(!machine.needsToken && machine.token == "a")
        // What has nothing to do with tokens changes nothing.
        let gone = Disconnect(webSocketCode: 1_001, reason: "resume: going_away")
        #expect(machine.onDisconnect(gone) == gone)
        #expect(!machine.needsToken)
    }

    @Test func anAnnouncedEndIsActedUponOnce() {
        var machine = Self.holding("a")
        #expect(machine.onExpiring(at: 7) == true)
        #expect(machine.onExpiring(at: 7) == false, "polls announce it again and again")
        #expect(machine.onRenewal("a") == false)
        #expect(machine.onRenewal("b") == true)
        #expect(machine.token == "b" && !machine.needsToken)
        #expect(machine.onExpiring(at: 9) == true)
    }

    @Test func anExpiredTokenIsReplacedByAnotherOrByNone() {
        #expect(Self.expired.renews && Self.expired.final == nil)
        var machine = Self.holding("a")
        #expect(machine.onDisconnect(Self.expired).final == nil)
        #expect(machine.needsToken)
        #expect(machine.onToken("b") == nil)
        #expect(machine.token == "b" && !machine.needsToken)
        #expect(machine.onDisconnect(Self.expired).final == nil, "as often as it takes")
        let end = "token_expired (4002), and the token source gives the same token again"
        #expect(machine.onToken("b") == Self.same(.stopped(end)))
    }

    @Test func whoHasNoSourceCanGetNoOther() {
        var machine = TokenMachine(hasSource: false)
        #expect(!machine.needsToken)
        #expect(machine.onDisconnect(Self.expired).final == .stopped("token_expired (4002)"))
        #expect(machine.onDisconnect(Self.unauthorized).final == Self.refused)
    }

    @Test func aRefusalIsAnsweredOnceWithAnotherToken() {
        var machine = Self.holding("a")
        #expect(machine.onDisconnect(Self.unauthorized).final == nil)
        #expect(machine.needsToken)
        #expect(machine.onToken("b") == nil)
        #expect(machine.onDisconnect(Self.unauthorized).final == Self.refused, "and not with a third")
        machine = Self.holding("a")
        #expect(machine.onDisconnect(Self.unauthorized).final == nil)
        #expect(machine.onToken("b") == nil)
        machine.onTaken()
        #expect(machine.onDisconnect(Self.unauthorized).final == nil, "one that was taken has proved itself")
    }

    @Test func theSameTokenIsNotShownToWhoRefusedIt() {
        var machine = Self.holding("a")
        #expect(machine.onDisconnect(Self.unauthorized).final == nil)
        #expect(machine.onToken("a") == Self.same(Self.refused))
    }

    @Test func whatIsForbiddenStaysForbidden() {
        var machine = Self.holding("a")
        let body = Array(#"{"error":{"code":"forbidden","message":"m"}}"#.utf8)
        let forbidden = Disconnect(status: 403, retryAfter: nil, body: body)
        #expect(machine.onDisconnect(forbidden).final == .refused(status: 403, code: "forbidden", message: "m"))
        let revoked = Disconnect(webSocketCode: 4_003, reason: "stop: revoked")
        #expect(machine.onDisconnect(revoked).final == .stopped("revoked (4003)"))
    }

    @Test func whatIsUnknownIsPassedOver() {
        let strange = Disconnect(webSocketCode: 4_099, reason: "ponder: something_new; after=7; how=well")
        var expected = Disconnect("something_new (4099)")
        expected.wishMilliseconds = 7
        #expect(strange == expected, "it comes back, as after any other end")
    }
}
