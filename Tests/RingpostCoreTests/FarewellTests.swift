// The last word to a client, in its three forms.
import Testing

@testable import RingpostCore

@Suite struct FarewellTests {
    private static func json(_ farewell: Farewell) -> String { String(decoding: farewell.json, as: UTF8.self) }

    @Test func saysNoMoreThanThereIs() {
        let farewell = Farewell(.slowConsumer)
        #expect(farewell.webSocketReason == "resume: slow_consumer")
        #expect(Self.json(farewell) == #"{"code":"slow_consumer","advice":"resume"}"#)
        var members: [UInt8] = []
        farewell.appendMembers(to: &members)
        #expect(members.isEmpty)
        #expect(farewell.retryAfterSeconds == nil)
    }

    @Test func whenAndWhere() {
        let farewell = Farewell(.goingAway, afterMilliseconds: 1_200, at: ["10.0.0.3:8080", "[::1]:80"])
        #expect(farewell.webSocketReason == "resume: going_away; after=1200; at=10.0.0.3:8080,[::1]:80")
        #expect(Self.json(farewell) == #"{"code":"going_away","advice":"resume","after":1200,"at":"10.0.0.3:8080,[::1]:80"}"#)
        var members: [UInt8] = []
        farewell.appendMembers(to: &members)
        #expect(String(decoding: members, as: UTF8.self) == #","retryAfterMilliseconds":1200,"at":"10.0.0.3:8080,[::1]:80""#)
        #expect(farewell.retryAfterSeconds == 2, "never earlier than asked")
        #expect(Farewell(.tryLater, afterMilliseconds: 2_000).retryAfterSeconds == 2)
        #expect(Farewell(.tryLater, afterMilliseconds: 0).retryAfterSeconds == 1)
        #expect(Farewell(.tryLater, afterMilliseconds: 2_500).webSocketReason == "resume: try_later; after=2500")
    }

    @Test func aCloseFrameHoldsWhatFits() {
        let name = String(repeating: "n", count: 40) + ":8080"
        let farewell = Farewell(.goingAway, afterMilliseconds: 1_200, at: [name, "b:1", name])
        #expect(farewell.webSocketReason == "resume: going_away; after=1200; at=\(name),b:1")
        let long = String(repeating: "n", count: 253) + ":8080"
        #expect(Farewell(.goingAway, afterMilliseconds: 1, at: [long]).webSocketReason == "resume: going_away; after=1")
        for reason in CloseReason.allCases {
            #expect(Farewell(reason, afterMilliseconds: .max, at: [name]).webSocketReason.utf8.count <= 123)
        }
    }

    @Test func anAddressCantEndTheTextThatItStandsIn() {
        let addresses = [#"a":1,"x:1"#, "a\\:1", "a;b:1", "a,b:1", "a b:1", "ä:1", "a\n:1", "good:1"]
        #expect(Farewell(.goingAway, at: addresses).at == ["good:1"])
    }

    @Test func everyReasonHasACodeOfItsOwn() {
        #expect(Set(CloseReason.allCases.map(\.code)).count == CloseReason.allCases.count)
        #expect(Set(CloseReason.allCases.map(\.webSocketCode)).count == CloseReason.allCases.count)
        #expect(CloseReason.tryLater.webSocketCode == 4_013)
        #expect(CloseReason.tryLater.advice == .resume)
    }
}
