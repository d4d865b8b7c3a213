// What the host of a virtual machine took from it: latencies measured meanwhile are the host's, not ours.

import Foundation

/// Processor time of this machine since its start, in ticks of all cores together. See proc_stat(5).
struct StolenTime {
    let stolen: Int
    let all: Int

    static func now() -> StolenTime {
        let line = (try? String(contentsOfFile: "/proc/stat", encoding: .utf8))?.split(separator: "\n").first ?? ""
        // user nice system idle iowait irq softirq steal; guests' time is in the first two.
        let ticks = line.split(separator: " ").dropFirst().prefix(8).compactMap { Int($0) }
        return StolenTime(stolen: ticks.count == 8 ? ticks[7] : 0, all: ticks.reduce(0, +))
    }

    /// The stolen share of the time from an earlier moment to this one.
    func share(since earlier: StolenTime) -> Double { Double(stolen - earlier.stolen) / Double(max(1, all - earlier.all)) }
}
