// `ringpost nodes`: each node at length.
import ArgumentParser
import RingpostClient

struct NodesCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "nodes",
        abstract: "Show each node: addresses, boot, uptime, sockets, messages.",
        discussion: "Example: ringpost nodes")

    @OptionGroup var api: APIOptions

    @Flag(help: "Print the node's answer, JSON.")
    var json = false

    func run() async throws {
        let client = try api.client()
        do throws(OperatorError) {
            let body = try await client.get("/v1/nodes")
            if json { return Console.json(body) }
            let report: NodesReport = try OperatorClient.decode(body)
            for (index, node) in report.nodes.enumerated() {
                if index > 0 { Console.line("") }
                for line in Self.lines(node) { Console.line(line) }
            }
            if Set(report.nodes.filter(\.answered).map(\.namespaces)).count > 1 {
                Console.line("\nThese nodes have different namespaces: give all of them the same file (--namespaces).")
            }
        } catch {
            throw Console.fail(error)
        }
    }

    static func lines(_ node: NodeReport) -> [String] {
        var lines = ["\(node.id)\(node.answered ? "" : "  no answer")"]
        func add(_ name: String, _ value: String?) {
            guard let value else { return }
            lines.append("  \(name)\(String(repeating: " ", count: max(1, 11 - name.count)))\(value)")
        }
        add("boot", node.boot)
        add("clients", node.client)
        add("api", node.api)
        add("link", node.link)
        add("weight", "\(node.weight)" + (node.slots.map { ", \($0) slots" } ?? ""))
        add("zone", node.zone)
        add("disk", node.disk)
        guard node.answered else { return lines }
        add("epoch", node.epoch.map { "\($0)" + (node.digest.map { ", digest \($0)" } ?? "") })
        add("lease", node.lease)
        add("draining", node.draining.map { DrainWatch.text($0) + ($0.seconds.map { ", for \(Self.duration(Double($0)))" } ?? "") })
        add("namespaces", node.namespaces)
        add("version", node.version)
        add("uptime", node.uptimeSeconds.map { Self.duration(Double($0)) })
        add("loops", node.loops.map { "\($0)" })
        add("users", node.users.map { "\($0)" + (node.historyBytes.map { ", \($0) bytes of history" } ?? "") })
        add("data", node.olderBytes.map { "\($0) more bytes of history in the data directory" })
        add("parked", node.parked.flatMap { $0 > 0 ? "\($0) publishes wait for a ring or a link" : nil })
        add("sockets", node.sockets.map { "\($0.ws) ws, \($0.sse) sse, \($0.poll) poll" })
        add(
            "messages",
            node.messages.map { "\($0.published.text) published, \($0.forwarded.text) forwarded, \($0.delivered.text) delivered" })
        return lines
    }

    /// 1 d 2 h 3 min 4 s, without the parts before the first that counts.
    static func duration(_ seconds: Double) -> String {
        // What a node sends may be any number.
        let whole = Int(min(max(seconds, 0), 1e15))
        let parts = [(whole / 86_400, "d"), (whole / 3_600 % 24, "h"), (whole / 60 % 60, "min"), (whole % 60, "s")]
        let first = parts.firstIndex { $0.0 > 0 } ?? 3
        return parts[first...].map { "\($0.0) \($0.1)" }.joined(separator: " ")
    }
}
