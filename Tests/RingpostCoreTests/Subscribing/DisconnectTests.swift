// The last word to a client, in its three forms.
import Testing

@testable import RingpostCore

@Suite struct DisconnectTests {
    private static func json(_ disconnect: Disconnect) -> String { String(decoding: disconnect.json, as: UTF8.self) }

    @Test func saysNoMoreThanThereIs() {
        let disconnect = Disconnect(.slowConsumer)
        #expect(disconnect.webSocketReason == "resume: slow_consumer")
        #expect(Self.json(disconnect) == #"{"code":"slow_consumer","advice":"resume"}"#)
        var members: [UInt8] = []
        disconnect.appendMembers(to: &members)
        #expect(members.isEmpty)
        #expect(disconnect.retryAfterSeconds == nil)
    }

    @Test func whenAndWhere() {
        let disconnect = Disconnect(.goingAway, afterMilliseconds: 1_200, at: ["10.0.0.3:8080", "[::1]:80"])
        #expect(disconnect.webSocketReason == "resume: going_away; after=1200; at=10.0.0.3:8080,[::1]:80")
        #expect(Self.json(disconnect) == #"{"code":"going_away","advice":"resume","after":1200,"at":"10.0.0.3:8080,[::1]:80"}"#)
        var members: [UInt8] = []
        disconnect.appendMembers(to: &members)
        #expect(String(decoding: members, as: UTF8.self) == #","retryAfterMilliseconds":1200,"at":"10.0.0.3:8080,[::1]:80""#)
        #expect(disconnect.retryAfterSeconds == 2, "never earlier than asked")
        #expect(Disconnect(.tryLater, afterMilliseconds: 2_000).retryAfterSeconds == 2)
        #expect(Disconnect(.tryLater, afterMilliseconds: 0).retryAfterSeconds == 1)
        #expect(Disconnect(.tryLater, afterMilliseconds: 2_500).webSocketReason == "resume: try_later; after=2500")
    }

    @Test func aCloseFrameHoldsWhatFits() {
        let name = String(repeating: "n", count: 40) + ":8080"
        let disconnect = Disconnect(.goingAway, afterMilliseconds: 1_200, at: [name, "b:1", name])
        #expect(disconnect.webSocketReason == "resume: going_away; after=1200; at=\(name),b:1")
        let long = String(repeating: "n", count: 253) + ":8080"
        #expect(Disconnect(.goingAway, afterMilliseconds: 1, at: [long]).webSocketReason == "resume: going_away; after=1")
        for reason in CloseReason.allCases {
            #expect(Disconnect(reason, afterMilliseconds: .max, at: [name]).webSocketReason.utf8.count <= 123)
        }
    }

    @Test func anAddressCantEndTheTextThatItStandsIn() {
        let addresses = [#"a":1,"x:1"#, "a\\:1", "a;b:1", "a,b:1", "a b:1", "ä:1", "a\n:1", "good:1"]
        #expect(Disconnect(.goingAway, at: addresses).at == ["good:1"])
    }

    @Test func everyReasonHasACodeOfItsOwn() {
        #expect(Set(CloseReason.allCases.map(\.code)).count == CloseReason.allCases.count)
        #expect(Set(CloseReason.allCases.map(\.webSocketCode)).count == CloseReason.allCases.count)
        #expect(CloseReason.tryLater.webSocketCode == 4_013)
        #expect(CloseReason.tryLater.advice == .resume)
    }
}
