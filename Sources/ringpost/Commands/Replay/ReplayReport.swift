// What a replay says at its end.
import Histogram
import RingpostClient
import RingpostReplay

struct ReplayReport: Sendable {
    private let verdict: DeliveryLedger.Verdict
    /// Of deliveries to channels' subscribers.
    private let channelVerdict: DeliveryLedger.Verdict
    private let channels: Int
    private let latencies: [(transport: Subscriber.Transport, Histogram<UInt32>)]
    private let reconnects: Int
    private let repeats: Int
    private let direct: Int
    private let forwarded: Int
    private let failures: [String]
    private let seconds: Double
    private let seed: UInt64
    private let skipped: Int

    /// Everybody got what was meant for them.
    var isClean: Bool { verdict.isClean && channelVerdict.isClean }

    init(_ board: ReplayBoard, plan: ReplayPlan, seed: UInt64, microseconds: Int64) {
        channelVerdict = board.read { $0.channelLedger.verdict }
        channels = plan.channels.count
        (verdict, latencies, reconnects, repeats) = board.read { state in
            let latencies = Subscriber.Transport.allCases.compactMap { transport in state.latencies[transport].map { (transport, $0) } }
            return (state.ledger.verdict, latencies, state.reconnects, state.repeats)
        }
        (direct, forwarded, failures) = board.read { ($0.direct, $0.forwarded, $0.failures) }
        seconds = Double(microseconds) / 1_000_000
        skipped = plan.undirected - plan.calls.count
        self.seed = seed
    }

    func lines() -> [String] {
        var lines = [
            "messages      \(verdict.planned) (\(skipped) lines of the log that address nobody were skipped), in \(seconds.text(decimals: 1)) s, "
                + "\((Double(verdict.acknowledged) / max(seconds, 0.001)).text(decimals: 0)) a second",
            "delivered     \(verdict.delivered)",
            "lost          \(verdict.lost)",
            "duplicated    \(verdict.duplicated)",
            "out of order  \(verdict.outOfOrder)",
        ]
        for (name, count) in [
            ("misdelivered", verdict.misdelivered), ("holes in seq", verdict.holes), ("other seq", verdict.mismatched),
            ("refused", verdict.refused), ("unknown", verdict.unknown), ("foreign", verdict.foreign),
        ] where count > 0 {
            lines.append(name + String(repeating: " ", count: 14 - name.count) + "\(count)")
        }
        if channels > 0 {
            let told = channelVerdict
            let wrong = told.holes + told.mismatched + told.refused + told.unknown + told.foreign
            lines.append(
                "channels      \(channels) with \(told.acknowledged) messages: delivered \(told.delivered), lost \(told.lost), "
                    + "duplicated \(told.duplicated), out of order \(told.outOfOrder)\(wrong > 0 ? ", otherwise wrong \(wrong)" : "")")
        }
        let total = max(direct + forwarded, 1)
        lines += [
            "gaps          \(verdict.gaps + channelVerdict.gaps)",
            "reconnects    \(reconnects)",
            "sent again    \(repeats)",
            "routing       \((Double(direct) * 100 / Double(total)).text(decimals: 1)) % arrived at the owner, "
                + "\((Double(forwarded) * 100 / Double(total)).text(decimals: 1)) % were forwarded",
            "seed          \(seed)", "",
        ]
        lines += latencyTable().lines()
        lines += failures.map { "failure: \($0)" }
        let conclusion = isClean ? "every user received exactly its messages, once each, in order" : "NOT what was sent: see above"
        return lines + ["", conclusion]
    }

    private func latencyTable() -> TextTable {
        var table = TextTable([("transport", .left), ("messages", .right), ("p50 ms", .right), ("p99 ms", .right), ("max ms", .right)])
        for (transport, histogram) in latencies {
            let values = [histogram.valueAtPercentile(50), histogram.valueAtPercentile(99), histogram.max]
            table.append(
                [transport.rawValue, "\(histogram.totalCount)"]
                    + (histogram.totalCount > 0 ? values.map { (Double($0) / 1_000).text(decimals: 2) } : ["-", "-", "-"]))
        }
        return table
    }
}
