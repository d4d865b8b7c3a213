// Draws the cards, waits until all is well after each, and says what it does.

import Foundation
import HashRing

/// Belongs to one task.
final class Director {
    /// After a fault every user's messages are acknowledged, and mirrored, again within so long.
    static let recoverySecondsMax = 60.0
    /// What is still missing at a listener so long after that is not waited for any longer.
    static let stragglerSecondsMax = 15.0
    static let calmSeconds = 5.0

    let settings: TortureSettings
    let cluster: TortureCluster
    let board: Board
    let timeline: Timeline
    var random: SplitMix64
    private let speakers: Speakers
    private let listeners: Listeners

    init(
        settings: TortureSettings, cluster: TortureCluster, board: Board, speakers: Speakers, listeners: Listeners, timeline: Timeline
    ) {
        self.settings = settings
        self.cluster = cluster
        self.board = board
        self.speakers = speakers
        self.listeners = listeners
        self.timeline = timeline
        random = SplitMix64(seed: settings.seed)
    }

    /// Draws cards until the time is over, or so many rounds have been played; the last one drawn is played to its end.
    func perform() async throws {
        let end = ContinuousClock.now + .seconds(60 * settings.minutes)
        try await calm()
        let possible = settings.faults.filter(isPossible)
        if possible.isEmpty { throw TortureError("none of the faults asked for is possible here") }
        var deck: [Fault] = []
        var rounds = 0
        while true {
            if deck.isEmpty {
                if let wanted = settings.rounds, rounds == wanted { return }
                deck = possible.shuffled(using: &random)
                rounds += 1
            }
            if settings.rounds == nil, ContinuousClock.now >= end { return }
            try await play(deck.removeFirst())
        }
    }

    private func isPossible(_ fault: Fault) -> Bool {
        if fault.needsCuts, !cluster.landscape.cutsWays { return false }
        if fault.needsDisks, settings.durability == nil { return false }
        if fault.needsDisksOrThreeCopies, settings.durability == nil, settings.copies < 3 { return false }
        return fault != .leader || cluster.zookeepers.count > 1
    }

    /// What it is like without any fault.
    private func calm() async throws {
        let mark = board.now
        try await wait(Self.recoverySecondsMax, "every user's first mirrored receipt") {
            $0.isAnswered(since: mark) && $0.isMirrored(since: mark)
        }
        try await pause(Self.calmSeconds)
    }

    // MARK: For the cards

    /// One row's worth: something happens, and all is well again.
    ///
    /// - Parameters:
    ///   - taken: nodes whose sockets may end.
    ///   - cutOff: nodes that may tell their sockets to resume elsewhere.
    func row(
        _ kind: FaultKind, _ what: String, taken: [TortureNode] = [], cutOff: [TortureNode] = [], _ happen: () async throws -> Void
    ) async throws {
        board.begin(kind, taken: taken.map(\.id), cutOff: cutOff.map(\.id))
        timeline.say("\(kind.name): \(what)")
        let began = ContinuousClock.now
        try await happen()
        try await recover()
        timeline.say("  well again after \((ContinuousClock.now - began).text): \(board.current.text)")
        await spread()
        try await pause(.random(in: 0.5...1.5, using: &random))
    }

    /// A time that belongs to a fault. Nothing is awaited here: that so much time passes is the fault.
    func pause(_ seconds: Double) async throws { try await Task.sleep(for: .seconds(seconds)) }

    var sessionSeconds: Double { Double(settings.sessionMilliseconds) / 1_000 }

    func anyResident() -> TortureNode { cluster.residents[Int.random(in: cluster.residents.indices, using: &random)] }

    func twoResidents() -> [TortureNode] { Array(cluster.residents.shuffled(using: &random).prefix(2)) }

    /// A node that isn't among these, to ask.
    func other(than node: TortureNode) -> TortureNode { cluster.present.first { $0.id != node.id } ?? node }

    // MARK: Being well again

    private func recover() async throws {
        try await cluster.settled()
        let mark = board.now
        try await wait(Self.recoverySecondsMax, "a mirrored receipt for every user after the cluster is whole") { judge in
            judge.isAnswered(since: mark) && judge.isMirrored(since: mark)
        }
        let late = try await board.stragglers(secondsMax: Self.stragglerSecondsMax)
        if late > 0 {
            let stuck = board.read { $0.stuck() }
            timeline.say("  \(late) acknowledged messages have not come to a listener")
            for listener in stuck.prefix(Judge.incidentsMax) {
                timeline.say(
                    "  \(listeners.description(of: listener.listener)) lacks \(listener.missing), the first is \(listener.first) of \(listener.of)"
                )
            }
            board.read { $0.giveUpMissing() }
        }
    }

    private func wait(_ seconds: Double, _ what: String, until condition: @Sendable (inout Judge) -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while !board.read(condition) {
            guard ContinuousClock.now < deadline else { throw TortureError("\(Int(seconds)) s in vain for \(what)") }
            try await pause(0.05)
        }
    }

    /// Listeners and producers go back to all nodes.
    private func spread() async {
        let nodes = cluster.present
        await listeners.spread(over: nodes)
        await listeners.awaitAttached()
        var leaving: [any Publisher] = []
        let publishers = Self.publishers(nodes)
        speakers.replacePublishers { old in
            leaving = old
            return publishers
        }
        // They take no more messages and go when their last one has its answer.
        for publisher in leaving { Task { await publisher.close() } }
    }

    /// Two ways to each node.
    static func publishers(_ nodes: [TortureNode]) -> [any Publisher] {
        nodes.indices.flatMap { index -> [any Publisher] in
            [LinkPublisher(Array(nodes[index...] + nodes[..<index])), HTTPPublisher(nodes[index])]
        }
    }
}
