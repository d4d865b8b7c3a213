// Figure (a): a fourth node joins three that hold ten thousand sockets. Nobody may be disconnected, no more users may move than must, nobody
// may wait long, and those who don't move should hardly notice.

import Foundation
import HashRing
import RingpostClient
import Synchronization

struct JoinFigure {
    static let perSecond = 1_000.0
    static let beforeSeconds = 10.0
    /// How often it is looked whether the move is over.
    static let lookMilliseconds = 250.0
    /// What is worth a line of the timeline.
    static let stallMicroseconds: Int64 = 50_000
    static let pauseMicrosecondsMax: Int64 = 250_000
    static let slowdownMax = 2.0
    /// Of the minimum possible.
    static let movedMax = 1.02

    let figures: Figures

    func lines() async throws -> [Figures.Line] {
        var settings = figures.settings
        settings.userCount = figures.sockets
        settings.nodeCount = 3
        let cluster = try await TortureCluster.start(settings, landscape: figures.landscape)
        defer { cluster.end() }
        let load = JoinLoad(users: figures.sockets, nodes: cluster.residents)
        await load.attach()
        let attached = figures.sockets - load.board.read { $0.silent.count }
        guard attached == figures.sockets else { throw TortureError("only \(attached) of \(figures.sockets) sockets attached") }
        figures.timeline.say("\(attached) sockets are attached")
        let talk = Task { await load.talk(perSecond: Self.perSecond) }
        // One round for the owners, then a time to compare with.
        let roundSeconds = Double(figures.sockets) / Self.perSecond + 1
        try await Task.sleep(for: .seconds(roundSeconds))
        let began = load.board.now
        let stolen = StolenTime.now()
        try await Task.sleep(for: .seconds(Self.beforeSeconds))
        let joined = load.board.now
        let stolenBefore = StolenTime.now()
        load.board.begin(.joins)
        try cluster.start(cluster.visitors[0])
        try await cluster.settled()
        let settled = load.board.now
        while try await !cluster.isEverySlotWhole() { try await Task.sleep(for: .milliseconds(Self.lookMilliseconds)) }
        let moved = load.board.now
        let shares = (before: stolenBefore.share(since: stolen), during: StolenTime.now().share(since: stolenBefore))
        figures.timeline.say("joined after \((settled - joined).milliseconds), all slots are there after \((moved - joined).milliseconds)")
        try await Task.sleep(for: .seconds(roundSeconds))
        load.stop()
        await talk.value
        let verdict = try await Figures.verdict(load.board, "\(figures.sockets) sockets over 3 nodes, a fourth joins")
        await load.end()
        let lines = judge(load.meter, began: began, joined: joined, moved: moved, newcomer: cluster.visitors[0].id)
        sayStalls(load.meter, from: joined, to: moved)
        return [verdict] + lines + [stolenLine(before: shares.before, during: shares.during)]
    }

    private func stolenLine(before: Double, during: Double) -> Figures.Line {
        let shares = [before, during].map { String(format: "%.1f %%", $0 * 100) }
        return Figures.Line(
            text: "  the machine's host took \(shares[0]) of the processors' time before, \(shares[1]) during the move", holds: true)
    }

    /// When in the move somebody waited, for whoever looks for the reason.
    private func sayStalls(_ meter: JoinMeter, from joined: Int64, to moved: Int64) {
        for start in stride(from: joined, to: moved, by: Int(Self.stallMicroseconds)) {
            let longest = meter.latencies(from: start, to: start + Self.stallMicroseconds) { _ in true }.last ?? 0
            if longest < Self.stallMicroseconds { continue }
            let moment = (start - joined).milliseconds
            figures.timeline.say("  what was sent \(moment) after the start of the fourth node took up to \(longest.milliseconds)")
        }
    }

    private func judge(_ meter: JoinMeter, began: Int64, joined: Int64, moved: Int64, newcomer: String) -> [Figures.Line] {
        let users = meter.owners(before: joined, after: moved)
        let movers = Set(users.filter { $0.value.before != $0.value.after }.keys)
        let astray = users.values.count { $0.before != $0.after && $0.after != newcomer }
        let old = HashRing(members: ["n1", "n2", "n3"].map { RingMember(id: $0, weight: TortureCluster.weightDefault) })
        let new = HashRing(members: ["n1", "n2", "n3", newcomer].map { RingMember(id: $0, weight: TortureCluster.weightDefault) })
        let slots = Double(RingChange(from: old, to: new).slotsMoved) / Double(HashRing.slotCount)
        let minimum = 0.25
        let share = Double(movers.count) / Double(max(users.count, 1))
        let before = meter.latencies(from: began, to: joined) { !movers.contains($0) }
        let during = meter.latencies(from: joined, to: moved) { !movers.contains($0) }
        let ratio = Double(during.percentile(0.99)) / Double(max(1, before.percentile(0.99)))
        let movedLatencies = meter.latencies(from: joined, to: moved) { movers.contains($0) }
        let longest = max(movedLatencies.last ?? 0, during.last ?? 0)
        func percent(_ share: Double) -> String { String(format: "%.2f %%", share * 100) }
        return [
            Figures.Line(
                text: "  moved: \(percent(slots)) of the slots, \(movers.count) of \(users.count) users (\(percent(share))); "
                    + "the minimum is \(percent(minimum)); between nodes that stay: \(astray)",
                holds: slots <= minimum * Self.movedMax && abs(share - minimum) <= 0.02 && astray == 0),
            Figures.Line(
                text: "  the longest pause of any user \(longest.milliseconds) (before: \((before.last ?? 0).milliseconds); at most "
                    + "\(Self.pauseMicrosecondsMax.milliseconds))",
                holds: longest < Self.pauseMicrosecondsMax),
            Figures.Line(
                text: "  p99 of users that stay \(during.percentile(0.99).milliseconds) during the move, "
                    + "\(before.percentile(0.99).milliseconds) before: \(String(format: "%.2f", ratio)) times (at most "
                    + "\(Self.slowdownMax)); of those that move \(movedLatencies.percentile(0.99).milliseconds)",
                holds: ratio <= Self.slowdownMax),
        ]
    }
}

extension [Int64] {
    /// Of sorted numbers; 0 without any.
    fileprivate func percentile(_ part: Double) -> Int64 { isEmpty ? 0 : self[Swift.min(count - 1, Int(Double(count) * part))] }
}
