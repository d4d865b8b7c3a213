// A loop that owns many channels: however many change at once, so many are told at a time, and each when it is due.

import HashRing
import Testing

@testable import RingpostCore

@Suite struct ManyPresencesTests {
    private static let count = 300
    /// As many as have their turn at once.
    private static let toldMax = 64

    private var node = LoneShard()

    private func channel(_ number: Int) -> Key {
        Key(.channel, trusted: Array("c\(number)".utf8), hash: KeyHash(rawValue: UInt64(7 * 64) << 48 | UInt64(number)))
    }

    private func address(_ number: Int) -> ReturnAddress { ReturnAddress(connectionID: 1, id: UInt64(number + 1)) }

    /// The news of the actions, by channel's attachment; and whether there is more.
    private func told(_ actions: [ShardAction]) -> (news: [UInt64: PresenceNews], hasMore: Bool) {
        var news: [UInt64: PresenceNews] = [:]
        for case .presence(let address, let each) in actions { news[address.id] = each }
        return (news, actions.contains { if case .scheduleEpochWork = $0 { true } else { false } })
    }

    private mutating func report(_ users: [String: UInt32], of number: Int, isFirst: Bool = false, at now: Int64) {
        let report = PresenceReport(
            isWhole: isFirst, wantsNews: true, wantsList: isFirst, others: 0,
            listeners: users.map { .init(user: Array($0.key.utf8), count: PresenceCount(sockets: $0.value)) })
        var actions: [ShardAction] = []
        node.machine.report(
            report, on: channel(number), from: address(number), node: "a", fromLink: false, now: Moment(monotonic: now, wall: 0),
            actions: &actions)
    }

    private mutating func tick(at now: Int64) -> (news: [UInt64: PresenceNews], hasMore: Bool) {
        var actions: [ShardAction] = []
        node.machine.onTick(now: Moment(monotonic: now, wall: 0), actions: &actions)
        return told(actions)
    }

    private mutating func look(at now: Int64) -> (news: [UInt64: PresenceNews], hasMore: Bool) {
        var actions: [ShardAction] = []
        node.machine.onEpochWork(now: Moment(monotonic: now, wall: 0), actions: &actions)
        return told(actions)
    }

    /// A tick, and as many looks as it asks for.
    private mutating func everything(at now: Int64) -> (news: [UInt64: PresenceNews], pieces: Int) {
        var (all, hasMore) = tick(at: now)
        var pieces = 1
        while hasMore {
            let (news, more) = look(at: now)
            #expect(news.count <= Self.toldMax)
            all.merge(news) { $1 }
            hasMore = more
            pieces += 1
        }
        return (all, pieces)
    }

    @Test mutating func whatComesAtOnceIsToldInPiecesAndWhatIsDueWhenItIs() {
        for number in 0..<Self.count {
            let request = AttachRequest(key: channel(number), address: address(number), start: .now, stay: .always)
            _ = node.attach(request, at: 0)
            report(["anna": 1], of: number, isFirst: true, at: 0)
        }
        var (news, pieces) = everything(at: 50)
        #expect(news.count == Self.count && pieces > Self.count / Self.toldMax)
        #expect(tick(at: 100).news.isEmpty)
        // An owner that has begun now knows who is there when every node can have reported.
        let linger = ChannelPresence.lingerMilliseconds
        #expect(tick(at: linger - 1).news.isEmpty)
        #expect(everything(at: linger).news.count == Self.count)

        // One leaves early, all others later; one of those comes back.
        report(["anna": 0], of: 0, at: 10_000)
        for number in 1..<Self.count { report(["anna": 0], of: number, at: 12_000) }
        report(["bob": 1], of: 0, at: 12_000)
        report(["bob": 0], of: 0, at: 13_000)
        report(["anna": 1], of: 1, at: 14_000)
        news = everything(at: 14_050).news
        #expect(Set(news.keys) == [1], "bob came and went on one channel")
        news = everything(at: 10_000 + linger).news
        #expect(Set(news.keys) == [1] && news[1]?.left == [Array("anna".utf8)])
        #expect(everything(at: 12_000 + linger - 1).news.isEmpty)
        (news, pieces) = everything(at: 12_000 + linger)
        #expect(Set(news.keys) == Set((3...Self.count).map { UInt64($0) }) && pieces > Self.count / Self.toldMax)
        news = everything(at: 13_000 + linger).news
        #expect(Set(news.keys) == [1] && news[1]?.left == [Array("bob".utf8)])
        #expect(!node.machine.presences.isExpecting && !node.machine.presences.isDirty)
    }
}
