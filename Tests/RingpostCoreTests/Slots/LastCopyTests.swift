// Of which slots a node holds the only copy, as far as it knows: with those it must not withdraw.
import Testing

@testable import RingpostCore

@Suite struct LastCopyTests {
    private func lastCopies(_ net: InMemoryCluster, _ id: String) -> Int { net.nodes[id]?.machine.lastCopyCount ?? 0 }

    /// a owns the slot, b is its mirror, then c.
    private func cluster() -> InMemoryCluster {
        let net = InMemoryCluster("abcd")
        net.view(1, "abcd")
        net.run()
        #expect(lastCopies(net, "a") == 0, "nothing was ever written")
        net.publish(1, at: "a")
        net.run()
        #expect("abcd".allSatisfy { lastCopies(net, String($0)) == 0 })
        return net
    }

    @Test func anOwnerWhoseMirrorCantBeFilled() {
        let net = cluster()
        net.cut("ac")
        net.kill("b")
        net.view(2, "acd")
        net.run()
        #expect(lastCopies(net, "a") == 1)
        net.mend("ac")
        net.run()
        #expect(lastCopies(net, "a") == 0)
    }

    @Test func aMirrorThatIsToGoOnAndCanAskNobody() {
        let net = cluster()
        net.kill("a")
        net.cut("bc")
        net.cut("bd")
        net.view(2, "bcd")
        net.run()
        #expect(lastCopies(net, "b") == 1)
        net.mend("bc")
        net.mend("bd")
        net.run()
        #expect(lastCopies(net, "b") == 0)
    }

    @Test func aMirrorsOwnerHasACopyToo() {
        let net = cluster()
        net.cut("ab")
        net.run()
        #expect(lastCopies(net, "a") == 0 && lastCopies(net, "b") == 0, "both have it, cut off or not")
    }
}
