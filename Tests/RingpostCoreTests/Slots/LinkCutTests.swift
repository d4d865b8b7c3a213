// A link is cut at every step of every kind of change, and mended: all is said again on the new one, and everything ends as
// if nothing had happened.
import Testing

@testable import RingpostCore

@Suite struct LinkCutTests {
    enum Change: String, CaseIterable {
        case firstRing, join, mirrorComes, mirrorGoes, ownerDies, drain

        /// Who has weight before, and after.
        var members: (before: String, after: String) {
            switch self {
            case .firstRing: ("", "abcd")
            case .join: ("bcd", "abcd")
            case .mirrorComes: ("acd", "abcd")
            case .mirrorGoes: ("abcd", "acd")
            case .ownerDies: ("abcd", "bcd")
            case .drain: ("abcd", "bcd")
            }
        }

        /// The owner and the mirror in the end.
        var owner: (String, String) {
            self == .join || self == .mirrorComes || self == .firstRing ? ("a", "b") : self == .mirrorGoes ? ("a", "c") : ("b", "c")
        }
    }

    struct Cut: CustomStringConvertible {
        let change: Change
        let link: String
        let outArrives: Bool
        /// A second time after so many more steps.
        let again: Int?

        var description: String {
            "\(change), \(link)\(outArrives ? ", what was said arrives" : "")\(again.map { ", again after \($0)" } ?? "")"
        }
    }

    static let cuts: [Cut] = Change.allCases.flatMap { change in
        ["ab", "ac", "bc", "ad", "bd"].flatMap { link in
            [false, true].map { Cut(change: change, link: link, outArrives: $0, again: nil) }
                + (link.contains("d") ? [] : [3, 7].map { Cut(change: change, link: link, outArrives: false, again: $0) })
        }
    }

    /// Requests of every kind are under way when the change comes.
    private func begin(_ change: Change) -> InMemoryCluster {
        let net = InMemoryCluster("abcd")
        if !change.members.before.isEmpty {
            net.view(1, change.members.before, without: change == .join ? "a" : change == .mirrorComes ? "b" : "")
            net.run()
        }
        let first = change.members.before.first.map(String.init) ?? "a"
        if !change.members.before.isEmpty {
            for number: UInt64 in 1...2 { net.publish(number, at: first) }
            net.run()
        }
        // Without a ring nothing would wait for one.
        if change == .firstRing { net.view(2, "abcd") }
        net.publish(3, at: first, idempotency: 3)
        net.publish(4, at: "c", stream: 5)
        net.publish(5, at: "c", stream: 5)
        for _ in 0..<2 { for way in net.ways { net.step(way) } }
        if change == .ownerDies { net.kill("a") }
        let after = change.members.after
        let rest = net.nodes.keys.sorted().filter { !after.contains($0) }.joined()
        net.view(2, after, without: rest)
        net.publish(6, at: "d", idempotency: 3)
        net.publish(7, at: "d", stream: 6)
        return net
    }

    private func steps(_ net: InMemoryCluster, _ count: Int) -> Bool {
        for _ in 0..<count {
            // Round about, so that no way gets far ahead of the others.
            guard let way = net.nextWay() else { return false }
            net.step(way)
        }
        return true
    }

    @Test(arguments: cuts) func everythingIsSaidAgain(cut: Cut) {
        var index = 0
        while true {
            let net = begin(cut.change)
            let goesOn = steps(net, index)
            net.cut(cut.link, outArrives: cut.outArrives)
            if let again = cut.again {
                net.mend(cut.link)
                _ = steps(net, again)
                net.cut(cut.link)
            }
            net.run()
            net.mend(cut.link)
            net.pass(200)
            let fault = fault(in: net, after: cut.change)
            #expect(fault == nil, "\(cut) after \(index) steps")
            if !goesOn || fault != nil { break }
            index += 1
        }
        #expect(index > 5)
    }

    /// What is not as it should be in the end.
    private func fault(in net: InMemoryCluster, after change: Change) -> String? {
        let (owner, mirror) = change.owner
        let ids = net.copies().map { String($0.prefix(1)) }
        if ids.sorted() != [owner, mirror].sorted() || !net.copy(owner).hasSuffix("serves") { return "copies: \(net.copies())" }
        if net.contents(owner) != net.contents(mirror) { return "the copies differ: \(net.contents(owner)) \n\n \(net.contents(mirror))" }
        let results = (3...7).map { net.result($0) }
        let messages = change == .firstRing ? 4 : 6
        // An id at the front of each: publish 3 and 6 are the same.
        let indices = results.map { $0.split(separator: " ").first.map(String.init) ?? "" }
        guard indices.allSatisfy({ $0.hasPrefix("#") }) else { return "results: \(results)" }
        if indices[0] != indices[3] { return "a repeat got another place: \(results)" }
        if Set(indices).count != 4 { return "a place was given twice: \(results)" }
        if indices[1] > indices[2] { return "a stream lost its order: \(results)" }
        if net.history(owner).count != messages { return "messages: \(net.contents(owner))" }
        let machine = net.nodes[owner]?.machine
        if machine?.uncommittedCount != 0 || machine?.publishes.lanes.inFlightCount != 0 { return "something is still under way" }
        return nil
    }
}
