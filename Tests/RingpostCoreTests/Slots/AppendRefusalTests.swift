// What the mailboxes refuse holds back what follows on the same stream, exactly as a refusal of the lanes does.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct AppendRefusalTests {
    private static let key = Key(.user, trusted: [1], hash: KeyHash(rawValue: 7 << 48 | 1))

    /// What the lanes decided on a publish for ``key``, on the stream 9.
    private static func submit(_ number: UInt64, to lanes: inout PublishLanes, restarts: Bool = false) -> [PublishLanes.Action] {
        let publish = Publish(
            key: key, id: MessageID(high: 0, low: number), isRepeatable: true, data: [0x31], deadline: 10_000)
        let context = PublishContext(address: ReturnAddress(connectionID: 0, id: number), stream: 9, restarts: restarts)
        var actions: [PublishLanes.Action] = []
        lanes.submit(publish, context, now: 0, route: { _ in .here }, actions: &actions)
        return actions
    }

    @Test func whatTheMailboxesRefuseHoldsBackTheStream() throws {
        var lanes = PublishLanes()
        lanes.mayActUntil = .max
        guard case .append(let first, _) = Self.submit(1, to: &lanes).first, case .append(let second, _) = Self.submit(2, to: &lanes).first
        else {
            Issue.record("both should be let through")
            return
        }
        #expect(lanes.mayAppend(request: first))
        var actions: [PublishLanes.Action] = []
        lanes.onAnswer(request: first, .failure(.windowFull), now: 0, actions: &actions)
        #expect(actions == [.answer(ReturnAddress(connectionID: 0, id: 1), .failure(.windowFull))])
        #expect(!lanes.mayAppend(request: second), "decided before the refusal, but not appended yet")
        #expect(Self.submit(3, to: &lanes) == [.answer(ReturnAddress(connectionID: 0, id: 3), .failure(.retry))])
        actions = []
        lanes.onAnswer(request: second, .failure(.retry), now: 0, actions: &actions)
        #expect(actions == [.answer(ReturnAddress(connectionID: 0, id: 2), .failure(.retry))])
        guard case .append = Self.submit(4, to: &lanes, restarts: true).first else {
            Issue.record("the stream begins again in order")
            return
        }
        guard case .append = Self.submit(5, to: &lanes).first else {
            Issue.record("and goes on")
            return
        }
    }

    private func publish(_ number: UInt64, to loop: inout LoneShard, isRepeatable: Bool = true, timeToLive: UInt32? = nil) -> PublishResult?
    {
        let publish = Publish(
            key: LoneShard.key(), id: MessageID(high: 0, low: number), isRepeatable: isRepeatable, data: [0x31],
            timeToLiveSeconds: timeToLive, deadline: 10_000)
        let actions = loop.publish(publish, answerTo: ReturnAddress(connectionID: 0, id: number), at: Moment(monotonic: 0, wall: 0))
        guard actions.count == 1, case .answer(_, let result) = actions[0] else {
            Issue.record("not one answer, but \(actions)")
            return nil
        }
        return result
    }

    @Test func aFullWindowIsARefusalThatTheMachineReports() {
        var limits = MailboxLimits()
        limits.windowEntriesMax = 1
        var loop = LoneShard(limits: limits)
        #expect(publish(1, to: &loop)?.words == "#1 alone")
        #expect(publish(2, to: &loop) == .failure(.windowFull))
        #expect(publish(1, to: &loop)?.words == "#1 alone again", "the first is still remembered")
    }

    @Test func nobodyAttachedAndNothingKeptIsDropped() {
        var loop = LoneShard()
        guard case .success(let receipt) = publish(1, to: &loop, isRepeatable: false, timeToLive: 0) else {
            Issue.record("no receipt")
            return
        }
        #expect(receipt.outcome == .dropped)
    }
}
