// What of a chat log is replayed, and when.
import Testing

@testable import RingpostReplay

@Suite struct ReplayPlanTests {
    private static let log = """
        {"at": "2004-12-25T09:14", "from": "ann", "to": "bob", "text": "bob: hi"}
        {"at": "2004-12-25T09:14", "from": "ann", "to": null, "text": "anyone?"}
        {"at": "2004-12-25T09:14", "from": "carl", "to": "|Qu`aD [1]\\u00e9", "text": "so \\"quoted\\""}
        no json
        {"at": "2004-12-25T09:16", "from": "carl", "to": "bob", "text": "x"}
        {"at": "2004-12-25T09:10", "from": "carl", "to": "dora", "text": "x"}

        """

    private static func plan(users: Int = 10, messages: Int = .max, speed: Double = 0) -> ReplayPlan {
        Array(log.utf8).withUnsafeBytes { ReplayPlan($0, userMax: users, messageMax: messages, speed: speed) }
    }

    @Test func choosesTheMostAddressed() {
        let plan = Self.plan()
        #expect(plan.users == ["bob", "dora", "|Qu`aD [1]é"])
        #expect(plan.messages.map(\.recipient) == [0, 2, 0, 1])
        #expect([plan.lines, plan.undirected, plan.malformed, plan.others] == [6, 1, 1, 0])
    }

    @Test func whatAddressesNobodyGoesToAChannelOfItsDay() {
        let plan = Array(Self.log.utf8).withUnsafeBytes {
            ReplayPlan($0, userMax: 10, messageMax: .max, speed: 60, withChannels: true)
        }
        #expect(plan.channels == ["day:2004-12-25"] && plan.calls.map(\.recipient) == [0])
        #expect(plan.subscribers == [[0, 1, 2]], "carl and ann are addressed by nobody")
        #expect(plan.messages.count == 4)
        let few = Array(Self.log.utf8).withUnsafeBytes { ReplayPlan($0, userMax: 10, messageMax: 2, speed: 0, withChannels: true) }
        #expect(few.messages.count == 2 && few.calls.count == 1)
    }

    @Test func limits() {
        #expect(Self.plan(users: 1).messages.count == 2)
        #expect(Self.plan(users: 1).others == 2)
        #expect(Self.plan(messages: 2).messages.map(\.recipient) == [0, 2])
    }

    @Test func stampsBecomeMoments() {
        // Two in the first minute are spread over it; two minutes of silence at 60 times the speed are cut to one second;
        // a step back takes no time.
        #expect(Self.plan(speed: 60).messages.map(\.dueMilliseconds) == [0, 500, 1_500, 1_500])
        #expect(Self.plan(speed: 600).messages.map(\.dueMilliseconds) == [0, 50, 200, 200])
        #expect(Self.plan(speed: 0).messages.map(\.dueMilliseconds) == [0, 0, 0, 0])
    }

    @Test func minutes() {
        func minutes(_ stamp: String) -> Int? { Array("\"\(stamp)\"".utf8).withUnsafeBytes { ChatLine.minutes($0, 0..<$0.count) } }
        #expect(minutes("1970-01-01T00:00") == 0)
        #expect(minutes("2004-02-29T12:34") == 17_967_634)
        #expect(minutes("2004-03-01T00:00:59") == 17_968_320)
        #expect(minutes("2004-13-01T00:00") == nil)
        #expect(minutes("yesterday at noon") == nil)
    }
}
