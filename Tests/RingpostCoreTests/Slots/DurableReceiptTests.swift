// What receipts say of disks: a message is durable when every confirmed copy of it is on one by fsync.
import Testing

@testable import RingpostCore

@Suite struct DurableReceiptTests {
    /// An owner and its mirror with these disks; the others keep what they have in memory.
    private static func pair(_ owner: StoreDurability?, _ mirror: StoreDurability?) -> InMemoryCluster {
        let net = InMemoryCluster("abcd")
        (net.disks["a"], net.disks["b"]) = (owner, mirror)
        net.view(1, "abcd")
        net.run()
        return net
    }

    @Test(arguments: [nil, .written, .fsync] as [StoreDurability?], [nil, .written, .fsync] as [StoreDurability?])
    func allCopiesHaveToBeOnADisk(owner: StoreDurability?, mirror: StoreDurability?) {
        let net = Self.pair(owner, mirror)
        net.publish(1, at: "a")
        net.publish(2, at: "c")
        net.run()
        let isDurable = owner == .fsync && mirror == .fsync
        #expect(net.result(1) == (isDurable ? "#1 durable" : "#1") && net.result(2) == (isDurable ? "#2 durable" : "#2"))
    }

    @Test func anOwnerAloneHasItsOwnDisk() {
        for disk in [nil, .written, .fsync] as [StoreDurability?] {
            let net = InMemoryCluster("abcd")
            net.disks["a"] = disk
            net.view(1, "a", without: "bcd")
            net.run()
            net.publish(1, at: "a")
            net.publish(2, at: "d")
            net.run()
            let end = disk == .fsync ? " alone durable" : " alone"
            #expect(net.result(1) == "#1\(end)" && net.result(2) == "#2\(end)")
        }
    }

    @Test func theShortWaySaysTheSame() throws {
        for disk in [nil, .written, .fsync] as [StoreDurability?] {
            // The second never takes the short way.
            var loops = [LoneShard(disk: disk), LoneShard(disk: disk, faults: [.releaseEarly])]
            for index in loops.indices {
                let publish = Publish(
                    key: LoneShard.key(), id: MessageID(high: 0, low: 1), isRepeatable: true, data: [0x31], deadline: 10_000)
                let address = ReturnAddress(connectionID: 2, id: 1)
                for isRepeat in [false, true] {
                    let actions = loops[index].publish(publish, answerTo: address, at: Moment(monotonic: 0, wall: 0))
                    guard case .answer(_, .success(let receipt)) = try #require(actions.last) else {
                        Issue.record("no receipt, but \(actions)")
                        continue
                    }
                    #expect(receipt.durable == (disk == .fsync) && !receipt.mirrored && receipt.repeated == isRepeat)
                }
            }
        }
    }

    /// While a slot moves, every earlier holder counts.
    @Test func aHolderInMemoryCountsUntilItIsReleased() {
        let net = InMemoryCluster("abcd")
        (net.disks["a"], net.disks["b"]) = (.fsync, .fsync)
        net.view(1, "acd", without: "b")
        net.run()
        net.publish(1, at: "a")
        net.run()
        #expect(net.result(1) == "#1", "the mirror's is in memory")
        net.cut("ab")
        net.view(2, "abcd")
        net.publish(2, at: "a")
        net.run()
        #expect(net.result(2) == "#2", "the mirror is another one, and the one before still has it all")
        net.mend("ab")
        net.run()
        net.publish(3, at: "a")
        net.run()
        #expect(net.copies().map { $0.prefix(1) } == ["a", "b"] && net.result(3) == "#3 durable")
    }

    @Test func aRepeatIsToldWhatIsTrueByThen() {
        let net = InMemoryCluster("abcd")
        (net.disks["a"], net.disks["b"]) = (.fsync, .fsync)
        net.view(1, "acd", without: "b")
        net.run()
        net.publish(1, at: "a", idempotency: 7)
        net.run()
        #expect(net.result(1) == "#1")
        net.view(2, "abcd")
        net.run()
        net.publish(2, at: "a", idempotency: 7)
        net.run()
        #expect(net.result(2) == "#1 durable again", "both copies are on disks now")
    }

    @Test func anotherDiskIsAnotherBoot() {
        let net = Self.pair(.fsync, .written)
        net.publish(1, at: "a")
        net.run()
        #expect(net.result(1) == "#1")
        net.view(2, "acd")
        net.run()
        net.restart("b")
        net.disks["b"] = .fsync
        net.view(3, "abcd")
        net.run()
        net.publish(2, at: "a")
        net.run()
        #expect(net.result(2) == "#2 durable")
    }
}
