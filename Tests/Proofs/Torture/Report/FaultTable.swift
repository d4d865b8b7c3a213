// The table at the end, in Markdown, so that it can stand in docs/measurements/torture.md as it is printed.

import Foundation

struct FaultTable {
    let rows: [FaultRow]

    func lines() -> [String] {
        let regular = rows.filter { !$0.kind.isByDesign }
        let byDesign = rows.filter(\.kind.isByDesign)
        var total = Tally()
        for row in regular { total.merge(row.tally) }
        let names = [
            "fault", "times", "receipt s", "socket s", "moved: receipt s", "moved: socket s", "lost", "gaps", "duplicates", "disorder",
            "disconnects", "second voices", "moved sockets", "told to resume",
        ]
        var lines = ["| \(names.joined(separator: " | ")) |", "| --- |" + String(repeating: " ---: |", count: names.count - 1)]
        for row in regular { lines.append(Self.line(row.kind.name, row.count, row.tally)) }
        lines.append(Self.line("**all**", regular.filter { $0.kind != .calm }.reduce(0) { $0 + $1.count }, total))
        for row in byDesign { lines.append(Self.line("*by design:* \(row.kind.name)", row.count, row.tally)) }
        return lines
    }

    private static func line(_ name: String, _ count: Int, _ tally: Tally) -> String {
        let waits = [tally.waits.receipt, tally.waits.socket, tally.movedWaits.receipt, tally.movedWaits.socket]
        let counts = [
            tally.lost, tally.gaps, tally.duplicates, tally.disorder, tally.disconnects, tally.voices, tally.moved, tally.resumed,
        ]
        let cells = [name, "\(count)"] + waits.map { String(format: "%.2f", Double($0) / 1_000_000) } + counts.map { "\($0)" }
        return "| \(cells.joined(separator: " | ")) |"
    }

    static let legend = """
        receipt s: the longest that a publish waited for its receipt, repeats included; socket s: the longest that an acknowledged message \
        waited for a listener (plain polls come every 100 ms). "moved": those whose own node was the one that the fault took. lost: pairs of \
        an acknowledged message and a listener that it never reached; disorder: out of order, or a number skipped without a word. disconnects \
        count sockets whose own node stayed; those that the fault's own node held are "moved sockets", and those that a node behind the cut \
        told to resume elsewhere, as it is meant to, stand in the last column. What stops the cluster, or takes both copies, by design has a \
        line of its own: nothing may come twice, in disorder or with two voices there either.
        """

    /// Of what; commit and machine stand beside it.
    static func origin(_ settings: TortureSettings, mode: String, chat: Chat) -> String {
        "seed \(settings.seed); \(mode); \(settings.nodeCount) nodes and 2 that visit, "
            + (settings.copies == 2 ? "" : "\(settings.copies) copies of each message, ")
            + "\(settings.zookeeperCount) ZooKeeper server\(settings.zookeeperCount == 1 ? "" : "s"), "
            + "sessions of \(Double(settings.sessionMilliseconds) / 1_000) s; \(chat.source), \(chat.users.count) users in \(chat.channels.count) channels with "
            + "\(TortureSettings.listenersEach) listeners each on ws, sse, poll and polling, \(Int(settings.perSecond)) messages a second"
    }
}

/// The machine that this runs on, in a few words.
enum Machine {
    static var description: String {
        let information = ProcessInfo.processInfo
        let gibibytes = Double(information.physicalMemory) / 1_073_741_824
        let model = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?.split(separator: "\n")
            .first { $0.hasPrefix("model name") }?.split(separator: ":").last.map { $0.trimmingCharacters(in: .whitespaces) }
        let kernel = (try? String(contentsOfFile: "/proc/sys/kernel/osrelease", encoding: .utf8)) ?? ""
        return "\(information.activeProcessorCount) cores (\(model ?? "unknown")), \(Int(gibibytes.rounded())) GiB, "
            + "Linux \(kernel.prefix { $0.isNumber || $0 == "." })"
    }
}
