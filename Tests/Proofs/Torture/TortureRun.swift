// One run: the cluster, those who send, those who listen, the director; and the report.

import Foundation

struct TortureRun {
    let settings: TortureSettings
    let landscape: any Landscape
    let timeline: Timeline

    /// - Returns: whether nothing happened that must not.
    func perform() async throws -> Bool {
        let chat = try Chat(path: settings.chat, userCount: settings.userCount)
        let cluster = try await TortureCluster.start(settings, landscape: landscape)
        defer { cluster.end() }
        timeline.say("\(cluster.residents.count) nodes are in the ring")
        let seats = Listeners.seats(users: chat.users.count, each: TortureSettings.listenersEach).map { seat in
            Listeners.Seat(user: seat.user, transport: seat.transport, channel: chat.channel(ofUser: seat.user))
        }
        let board = Board(userCount: chat.orders.count, listeners: Listeners.orders(seats))
        let listeners = Listeners(seats: seats, users: chat.users, channels: chat.channels, board: board)
        await listeners.spread(over: cluster.residents)
        let speakers = Speakers(
            chat: chat, board: board, publishers: Director.publishers(cluster.residents), perSecond: settings.perSecond)
        let director = Director(
            settings: settings, cluster: cluster, board: board, speakers: speakers, listeners: listeners, timeline: timeline)
        let talk = Task { await speakers.run() }
        do {
            try await director.perform()
            speakers.stop()
            await talk.value
            _ = try await board.stragglers(secondsMax: Director.stragglerSecondsMax)
        } catch {
            // Not awaited: a cluster that doesn't recover would keep those who send for ever.
            speakers.stop()
            timeline.complain("\(error)")
        }
        // Who never began was promised nothing, so nobody could miss anything.
        let silent = board.read { $0.silent }.map { listeners.description(of: $0) }
        if !silent.isEmpty { timeline.complain("\(silent.count) listeners never began: \(silent.joined(separator: "; "))") }
        await listeners.end()
        return try report(board, chat: chat)
    }

    private func report(_ board: Board, chat: Chat) throws -> Bool {
        let rows = board.rows
        let isClean = timeline.violations.isEmpty && rows.allSatisfy { $0.kind.permits($0.tally) }
        var lines = FaultTable(rows: rows).lines()
        lines += ["", FaultTable.origin(settings, mode: landscape.mode, chat: chat), "", FaultTable.legend, ""]
        let incidents = board.read { $0.incidents }
        lines += timeline.violations.map { "violation: \($0)" } + incidents.map { "seen: \($0)" }
        let unknown = rows.reduce(0) { $0 + $1.tally.unknown }
        if unknown > 0 { lines.append("messages of which nobody knows whether they were appended: \(unknown)") }
        let repeats = board.repeats
        let reasons = repeats.reasons.sorted { $0.value > $1.value }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        lines.append("attempts repeated: \(repeats.count)\(reasons.isEmpty ? "" : " (\(reasons))")")
        lines.append(isClean ? "nothing acknowledged was lost, and nobody was disconnected" : "NOT what is promised: see above")
        try settings.write(lines)
        print((lines + ["commit \(settings.commit), \(Machine.description)"]).joined(separator: "\n"))
        return isClean
    }
}
