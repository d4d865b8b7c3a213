// Figure (c): an orderly stop. No publish may fail, not even once: over links to all nodes, the stopping one among them, and by HTTP to
// those that stay.

import Foundation

struct StopFigure {
    static let userCount = 200
    static let perSecond = 400.0

    let figures: Figures

    func lines() async throws -> [Figures.Line] {
        var settings = figures.settings
        settings.userCount = Self.userCount
        let chat = try Chat(path: settings.chat, userCount: settings.userCount)
        let cluster = try await TortureCluster.start(settings, landscape: figures.landscape)
        defer { cluster.end() }
        let leaver = cluster.residents[cluster.residents.count - 1]
        let stayers = cluster.residents.dropLast()
        let publishers: [any Publisher] =
            stayers.map { HTTPPublisher($0) }
            + cluster.residents.indices.map { LinkPublisher(Array(cluster.residents[$0...] + cluster.residents[..<$0])) }
        let load = SteadyChat(chat: chat, nodes: cluster.residents, publishers: publishers, perSecond: Self.perSecond)
        try await load.begin(seconds: 5)
        let before = load.board.repeats.count
        load.board.begin(.stopped, taken: [leaver.id])
        cluster.expect(leaver, weight: nil)
        let began = ContinuousClock.now
        leaver.terminate()
        let status = try await leaver.waitForExit(seconds: Director.orderlyEndSecondsMax)
        let took = ContinuousClock.now - began
        try await cluster.settled()
        try await Task.sleep(for: .seconds(3))
        try await load.end()
        let repeats = load.board.repeats
        let failed = repeats.count - before
        let reasons = failed == 0 ? "" : " \(repeats.reasons.sorted { $0.value > $1.value }.map { "\($0.key) \($0.value)" })"
        let waits = load.board.current
        let text =
            "SIGTERM: exit status \(status) after \(took.text); failed publishes \(failed)\(reasons); the longest wait for a receipt "
            + "\(max(waits.waits.receipt, waits.movedWaits.receipt).milliseconds)"
        return [
            Figures.Line(text: text, holds: failed == 0 && status == 0),
            try await Figures.verdict(load.board, "  during it"),
        ]
    }
}
