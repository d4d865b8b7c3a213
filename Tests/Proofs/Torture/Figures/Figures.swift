// The three figures by which a change of the cluster is measured. Each has a cluster of its own.

import ArgumentParser
import Foundation

struct Figures {
    let settings: TortureSettings
    let landscape: any Landscape
    let timeline: Timeline
    let sockets: Int

    /// One line of the result, and whether it is as it should be.
    struct Line {
        let text: String
        let holds: Bool
    }

    enum Name: String, CaseIterable, ExpressibleByArgument {
        case join, death, stop
    }

    /// - Returns: whether all of them hold.
    func run(_ names: [Name]) async throws -> Bool {
        var lines: [Line] = []
        for name in names {
            lines += await figure(name.rawValue) {
                switch name {
                case .join: try await JoinFigure(figures: self).lines()
                case .death: try await DeathFigure(figures: self).lines()
                case .stop: try await StopFigure(figures: self).lines()
                }
            }
        }
        let texts = lines.map { "\($0.holds ? "holds" : "MISSED"): \($0.text)" }
        let origin = "seed \(settings.seed); \(landscape.mode)"
        try settings.write(["```"] + texts + ["```", "", origin])
        print((texts + ["", "\(origin); commit \(settings.commit), \(Machine.description)"]).joined(separator: "\n"))
        return lines.allSatisfy(\.holds)
    }

    private func figure(_ name: String, _ body: () async throws -> [Line]) async -> [Line] {
        timeline.say("figure: \(name)")
        do { return try await body() } catch {
            return [Line(text: "the figure of the \(name) could not be measured: \(error)", holds: false)]
        }
    }

    /// What the judge has to say, after it was given time.
    static func verdict(_ board: Board, _ what: String) async throws -> Line {
        _ = try await board.stragglers(secondsMax: Director.stragglerSecondsMax)
        let stuck = board.read { $0.stuck() }.map {
            "; listener \($0.listener) of user \($0.user) lacks \($0.missing), the first of them \($0.first) of \($0.of)"
        }
        var total = Tally()
        for row in board.rows { total.merge(row.tally) }
        let counts = [
            ("lost", total.lost), ("gaps", total.gaps), ("duplicates", total.duplicates), ("disorder", total.disorder),
            ("second voices", total.voices), ("disconnects", total.disconnects), ("refused", total.refused),
        ].map { "\($0) \($1)" }.joined(separator: ", ")
        return Line(text: "\(what): \(total.acknowledged) messages acknowledged; \(counts)\(stuck.joined())", holds: total.isClean)
    }
}

extension Int64 {
    /// Microseconds as milliseconds.
    var milliseconds: String { self >= JoinMeter.never ? "for ever" : String(format: "%.1f ms", Double(self) / 1_000) }
}
