// `ringpost limits`: what a node takes before it says no.
import ArgumentParser
import RingpostCore
import RingpostNode

struct LimitsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "limits",
        abstract: "List the limits of a node, with their defaults.",
        discussion: """
            A node is given another one with `ringpost node --limit sockets-per-user=20`. How often each was met stands in its metrics as
            ringpost_limited_total{limit="…"}, or where the answer has a code, in ringpost_messages_total{outcome="…"}.
            """)

    @Flag(help: "Print docs/guide/limits.md: the limits with their ranges, and what is fixed.")
    var markdown = false

    func run() {
        if markdown { return Console.text(LimitsDocument.markdown()) }
        let defaults = NodeLimits()
        var table = TextTable([("limit", .left), ("default", .right), ("what it bounds", .left)])
        for limit in Limit.allCases { table.append([limit.rawValue, defaults.value(of: limit).map { "\($0)" } ?? "-", limit.meaning]) }
        for line in table.lines() { Console.line(line) }
    }
}
