// The short way of a publish comes to the same as the long one, whatever came before.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct DirectAppendTests {
    /// Two loops of a lone node: one that takes the short way where it can, and one that never does.
    private static func pair(_ limits: MailboxLimits) -> (short: LoneShard, long: LoneShard) {
        // A guard that says nothing where there is no other member.
        (LoneShard(limits: limits), LoneShard(limits: limits, faults: [.releaseEarly]))
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>) func bothWaysComeToTheSame(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var limits = MailboxLimits()
        limits.windowEntriesMax = 40
        limits.historyMessagesMax = 10
        limits.mailboxesMax = 6
        limits.userMessagesPerSecond = 50
        var (short, long) = Self.pair(limits)
        var now: Int64 = 0
        for step in 1...2_000 as ClosedRange<UInt64> {
            now += Int64(random.next() % 40)
            let key = LoneShard.key(UInt8(random.next() % 8), slot: Int(random.next() % 3))
            if random.next().isMultiple(of: 8) {
                let request = AttachRequest(
                    key: key, address: ReturnAddress(connectionID: 1, id: random.next() % 5), start: .now, stay: .always)
                #expect(short.attach(request, at: now) == long.attach(request, at: now), "seed \(seed), step \(step)")
                continue
            }
            let isRepeatable = random.next().isMultiple(of: 2)
            let publish = Publish(
                key: key, id: MessageID(high: 0, low: isRepeatable ? random.next() % 100 : 1_000 + step), isRepeatable: isRepeatable,
                isForgettable: isRepeatable && random.next().isMultiple(of: 2), data: [0x31],
                timeToLiveSeconds: [nil, 0, 1][Int(random.next() % 3)], deadline: now + 10_000, mayBeRepeat: random.next().isMultiple(of: 8)
            )
            let (address, stream) = (ReturnAddress(connectionID: 2, id: step), random.next() % 3)
            let restarts = random.next().isMultiple(of: 4)
            let moment = Moment(monotonic: now, wall: now)
            let one = short.publish(publish, answerTo: address, stream: stream, restarts: restarts, at: moment)
            let other = long.publish(publish, answerTo: address, stream: stream, restarts: restarts, at: moment)
            #expect(one == other, "seed \(seed), step \(step)")
        }
    }
}
