// A chat of its own making is one that the replay reads whole, the same for one seed, and of the shape of a real one.
import Testing

@testable import RingpostReplay

@Suite struct GeneratedChatTests {
    private static func plan(_ chat: GeneratedChat, users: Int) -> ReplayPlan {
        chat.log.withUnsafeBytes { ReplayPlan($0, userMax: users, messageMax: .max, speed: 0, withChannels: true) }
    }

    @Test func theSeedDecidesEverything() {
        let chats = [1, 1, 2].map { GeneratedChat(seed: $0, users: 40, messages: 300).log }
        #expect(chats[0] == chats[1] && chats[0] != chats[2])
    }

    @Test func everyLineIsRead() {
        let plan = Self.plan(GeneratedChat(seed: 7, users: 60, messages: 2_000), users: 60)
        #expect(plan.malformed == 0 && plan.others == 0)
        #expect(plan.messages.count == 2_000 && plan.undirected == plan.lines - 2_000)
        #expect(plan.undirected > 500 && plan.calls.count == plan.undirected)
        #expect(plan.channels.count == GeneratedChat.days && plan.channels.first == "day:2024-03-01")
    }

    /// Zipf: of 60 users the first gets about a fifth of all, the last a sixtieth of that.
    @Test func fewGetMost() {
        let plan = Self.plan(GeneratedChat(seed: 7, users: 60, messages: 6_000), users: 60)
        var counts = [Int](repeating: 0, count: plan.users.count)
        for message in plan.messages { counts[Int(message.recipient)] += 1 }
        let sorted = counts.sorted(by: >)
        #expect(sorted[0] > 6_000 / 8 && sorted[0] < 6_000 / 3)
        #expect((sorted.last ?? 0) * 20 < sorted[0])
        let lengths = plan.messages.map(\.line.count).sorted()
        #expect(lengths[lengths.count / 2] < 400 && (lengths.last ?? 0) > 1_500)
    }

    /// Names come apart: two of them never mean the same user.
    @Test func namesAreOfAllKinds() {
        let plan = Self.plan(GeneratedChat(seed: 7, users: 90, messages: 5_000), users: 90)
        #expect(Set(plan.users.map { Array($0.utf8) }).count == plan.users.count && plan.users.count > 80)
        for part in ["\"", "\\", "/", "%", " ", "日本", "🦊", ";", "?"] { #expect(plan.users.contains { $0.contains(part) }, "\(part)") }
        #expect(plan.users.allSatisfy { (1...255).contains($0.utf8.count) })
    }
}
