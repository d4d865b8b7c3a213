// Figure (b): SIGKILL of an owner with a session of two seconds. Every message is to be acknowledged within a second of the session's end,
// which is what ZooKeeper's own log says it is.

import Foundation
import TestSupport

struct DeathFigure {
    static let sessionMilliseconds = 2_000
    static let userCount = 200
    static let perSecond = 400.0
    static let microsecondsMax: Int64 = 1_000_000

    let figures: Figures

    func lines() async throws -> [Figures.Line] {
        var settings = figures.settings
        settings.sessionMilliseconds = Self.sessionMilliseconds
        settings.userCount = Self.userCount
        settings.zookeeperCount = 1
        let chat = try Chat(path: settings.chat, userCount: settings.userCount)
        let cluster = try await TortureCluster.start(settings, landscape: figures.landscape)
        defer { cluster.end() }
        let victim = cluster.residents[cluster.residents.count - 1]
        let others = Array(cluster.residents.dropLast())
        // Whoever talks to the victim itself has to find another node first; that is not what is measured here.
        let load = SteadyChat(
            chat: chat, nodes: others, publishers: Director.publishers(others), perSecond: Self.perSecond)
        try await load.begin(seconds: 5)
        let moment = (date: Date.now, board: load.board.now)
        load.board.begin(.killed, taken: [victim.id])
        victim.kill()
        cluster.expect(victim, weight: nil)
        try await cluster.settled()
        try await Task.sleep(for: .seconds(3))
        guard let end = Self.sessionEnd(cluster.zookeepers[0].output, after: moment.date) else {
            throw TortureError("ZooKeeper's log does not say when the session ended")
        }
        let sessionEnd = moment.board + Int64(end.timeIntervalSince(moment.date) * 1_000_000)
        try await load.end()
        let late =
            load.board.read { $0.acknowledgements }.filter { $0.sentAt < sessionEnd + Self.microsecondsMax }.map { message in
                message.acknowledgedAt.map { $0 - max(message.sentAt, sessionEnd) } ?? .max
            }.max() ?? .max
        let text =
            late == .max
            ? "SIGKILL of an owner: a message was never acknowledged"
            : "SIGKILL of an owner: the session ended after \((sessionEnd - moment.board).milliseconds), and "
                + "\(late.milliseconds) later every message was acknowledged (at most \(Self.microsecondsMax.milliseconds))"
        return [
            Figures.Line(text: text, holds: late <= Self.microsecondsMax),
            try await Figures.verdict(load.board, "  during it"),
        ]
    }

    /// "14:03:07,123 INFO  ZooKeeperServer Expiring session 0x1000…, timeout of 2000ms exceeded": the first of them.
    private static func sessionEnd(_ log: String, after moment: Date) -> Date? {
        for line in log.split(separator: "\n") where line.contains("Expiring session") {
            guard let match = line.firstMatch(of: #/^(\d\d):(\d\d):(\d\d),(\d\d\d)/#), let hour = Int(match.1), let minute = Int(match.2),
                let second = Int(match.3), let millisecond = Int(match.4)
            else { continue }
            let calendar = Calendar.current
            let wanted = DateComponents(hour: hour, minute: minute, second: second, nanosecond: 0)
            // The log says no date: it is the next such time of day after the moment before, and before the next midnight's.
            guard
                let whole = calendar.nextDate(after: moment.addingTimeInterval(-2), matching: wanted, matchingPolicy: .nextTime),
                whole.timeIntervalSince(moment) < 3_600
            else { continue }
            return whole.addingTimeInterval(Double(millisecond) / 1_000)
        }
        return nil
    }
}
