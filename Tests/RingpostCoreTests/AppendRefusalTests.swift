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
        let context = PublishContext(address: ReturnAddress(channel: 0, id: number), stream: 9, restarts: restarts)
        var actions: [PublishLanes.Action] = []
        lanes.submit(publish, context, now: 0, route: { _ in .here }, actions: &actions)
        return actions
    }

    @Test func whatTheMailboxesRefuseHoldsBackTheStream() throws {
        var lanes = PublishLanes()
        lanes.mayActUntil = .max
        let first = try #require(Self.submit(1, to: &lanes).first)
        let second = try #require(Self.submit(2, to: &lanes).first)
        guard case .append(let publish, let context, let arrival) = first,
            case .append(let later, let laterContext, let laterArrival) = second
        else {
            Issue.record("both should be let through: \(first), \(second)")
            return
        }
        #expect(lanes.mayAppend(publish, context, arrival: arrival))
        lanes.onAppendRefused(publish, context, arrival: arrival)
        #expect(!lanes.mayAppend(later, laterContext, arrival: laterArrival), "decided before the refusal, but not appended yet")
        #expect(Self.submit(3, to: &lanes) == [.answer(ReturnAddress(channel: 0, id: 3), .failure(.retry))])
        guard case .append = Self.submit(4, to: &lanes, restarts: true).first else {
            Issue.record("the stream begins again in order")
            return
        }
        guard case .append = Self.submit(5, to: &lanes).first else {
            Issue.record("and goes on")
            return
        }
    }

    @Test func aFullWindowIsARefusalThatTheStoreReports() {
        var limits = MailboxLimits()
        limits.windowEntriesMax = 1
        var store = MailboxStore(owner: "n1", limits: limits)
        var actions: [OwnerAction] = []
        let now = Moment(monotonic: 0, wall: 0)
        func publish(_ number: UInt64) -> Bool {
            let publish = Publish(
                key: Self.key, id: MessageID(high: 0, low: number), isRepeatable: true, data: [0x31], deadline: 10_000)
            return store.publish(
                publish, answerTo: ReturnAddress(channel: 0, id: number), epoch: 1, now: now, fresh: 5, actions: &actions)
        }
        #expect(publish(1))
        #expect(!publish(2))
        #expect(publish(1), "the first is still remembered")
    }

    @Test func nobodyAttachedAndNothingKeptIsDropped() {
        var store = MailboxStore(owner: "n1")
        var actions: [OwnerAction] = []
        let publish = Publish(
            key: Self.key, id: MessageID(high: 0, low: 1), isRepeatable: false, data: [0x31], timeToLiveSeconds: 0, deadline: 10_000)
        store.publish(
            publish, answerTo: ReturnAddress(channel: 0, id: 1), epoch: 1, now: Moment(monotonic: 0, wall: 0), fresh: 5, actions: &actions)
        guard case .answer(_, .success(let receipt)) = actions.last else {
            Issue.record("no receipt in \(actions)")
            return
        }
        #expect(receipt.outcome == .dropped)
    }
}
