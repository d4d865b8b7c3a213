// What all users and channels keep, where no namespace says otherwise: for how long, and how much.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct HistoryBoundTests {
    private static func publish(_ loop: inout LoneShard, _ name: UInt8, at now: Int64) {
        let publish = Publish(
            key: LoneShard.key(name), id: MessageID(high: 0, low: UInt64(now)), isRepeatable: false, data: [0x31], timeToLiveSeconds: nil,
            deadline: .max)
        _ = loop.publish(publish, answerTo: ReturnAddress(connectionID: 9, id: 1), at: Moment(monotonic: now, wall: 0))
    }

    @Test func messagesOfAllMailboxesGrowOld() {
        var limits = MailboxLimits()
        limits.historyMilliseconds = 10_000
        var loop = LoneShard(limits: limits)
        for now: Int64 in [0, 5_000, 9_000] { for name: UInt8 in [1, 2] { Self.publish(&loop, name, at: now) } }
        func kept(_ name: UInt8) -> Int { loop.store.summary(of: LoneShard.key(name))?.historyMessages ?? -1 }
        loop.machine.log.forgetIdle(now: 9_999)
        #expect(kept(1) == 3 && kept(2) == 3)
        loop.machine.log.forgetIdle(now: 10_000)
        #expect(kept(1) == 2 && kept(2) == 2, "nobody had to ask")
        Self.publish(&loop, 1, at: 18_999)
        #expect(kept(1) == 2 && kept(2) == 2)
        loop.machine.log.forgetIdle(now: 40_000)
        #expect(kept(1) == 0 && kept(2) == 0)
        let address = ReturnAddress(connectionID: 1, id: 1)
        let first = AttachStart.after(Cursor(incarnation: loop.incarnation(of: LoneShard.key(2)) ?? 0, sequence: 0))
        let request = AttachRequest(key: LoneShard.key(2), address: address, start: first, stay: .never)
        guard case .success(let reply) = loop.attach(request, at: 40_000) else { return #expect(Bool(false), "no answer") }
        #expect(reply.gap && reply.messages.isEmpty && reply.from == 3)
    }

    @Test func whereNothingIsKeptAMessageIsDropped() {
        var limits = MailboxLimits()
        limits.historyMessagesMax = 0
        var loop = LoneShard(limits: limits)
        let publish = Publish(
            key: LoneShard.key(), id: MessageID(high: 0, low: 1), isRepeatable: false, data: [0x31], timeToLiveSeconds: nil, deadline: .max)
        let actions = loop.publish(publish, answerTo: ReturnAddress(connectionID: 9, id: 1), at: Moment(monotonic: 0, wall: 0))
        guard case .answer(_, .success(let receipt)) = actions.last else { return #expect(Bool(false), "\(actions)") }
        #expect(receipt.outcome == .dropped && receipt.sequence == 1)
        #expect(loop.store.historyBytes == 0)
    }
}
