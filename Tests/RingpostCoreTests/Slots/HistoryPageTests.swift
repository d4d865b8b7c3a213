// Pages of a history in a cluster: asked for anywhere, answered by the owner, and without a trace.
import Testing

@testable import RingpostCore

@Suite struct HistoryPageTests {
    @Test func theOwnerAnswersWhereverItIsAsked() throws {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 5)
        let incarnation = net.contents("a").mailboxes.first?.incarnation ?? 0
        net.attach(1, at: "d", from: .newest, stay: .page, countMax: 2)
        net.attach(2, at: "a", from: .earliest, stay: .page, countMax: 3)
        net.attach(3, at: "b", from: .before(Cursor(incarnation: incarnation, sequence: 3)), stay: .page)
        net.run()
        #expect(net.heard(1) == ["3…5: #4 #5 more"])
        #expect(net.heard(2) == ["0…3: #1 #2 #3 more"])
        #expect(net.heard(3) == ["0…2: #1 #2"])
    }

    @Test func onlyWhatIsCommittedIsShown() {
        let net = InMemoryCluster.settled("abcd", "abcd", messages: 2)
        net.hold("a<b")
        net.publish(9, at: "a")
        net.attach(
            1, at: "a", from: .before(Cursor(incarnation: net.contents("a").mailboxes.first?.incarnation ?? 0, sequence: 9)), stay: .page)
        #expect(net.heard(1) == ["0…2: #1 #2"], "true whoever the owner is, so it is said at once")
        net.attach(2, at: "d", from: .newest, stay: .page)
        net.run()
        #expect(net.heard(2) == [], "it waits for the set, as a socket does")
        net.letGo()
        net.run()
        #expect(net.heard(2) == ["0…3: #1 #2 #3"])
    }

    @Test func whoReadsLeavesNoTrace() throws {
        var loop = LoneShard()
        let address = ReturnAddress(connectionID: 1, id: 1)
        func read(_ key: Key, _ start: AttachStart, at now: Int64) throws -> AttachReply {
            try loop.attach(AttachRequest(key: key, address: address, start: start, stay: .page), at: now).get()
        }
        let nobody = try read(LoneShard.key(9), .newest, at: 5)
        #expect(nobody.messages.isEmpty && !nobody.gap && !nobody.hasMore)
        #expect(loop.store.mailboxCount == 0)
        let publish = Publish(
            key: LoneShard.key(), id: MessageID(high: 0, low: 1), isRepeatable: false, data: [0x31], timeToLiveSeconds: nil, deadline: .max)
        _ = loop.publish(publish, answerTo: ReturnAddress(connectionID: 9, id: 1), at: Moment(monotonic: 10, wall: 0))
        #expect(try read(LoneShard.key(), .newest, at: 20).messages.map(\.sequence) == [1])
        let mailboxIndex = try #require(loop.store.mailboxIndex(of: LoneShard.key()))
        #expect(loop.store.mailboxes.all[mailboxIndex].lastUsed == 10)
        #expect(loop.store.lastSeen(at: mailboxIndex) == 0)
        #expect(!loop.store.isAttached(at: mailboxIndex))
    }
}
