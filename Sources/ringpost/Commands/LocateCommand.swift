// `ringpost locate`: where one user lives.
import ArgumentParser
import RingpostClient

struct LocateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "locate",
        abstract: "Show where a user is placed, who owns it, and where its sockets are.",
        discussion: "Example: ringpost locate alice")

    @OptionGroup var api: APIOptions

    @Flag(help: "Print the node's answer, JSON.")
    var json = false

    @Argument(help: "The user.")
    var user: String

    func run() async throws {
        let client = try api.client()
        do throws(OperatorError) {
            let body = try await client.get(OperatorClient.path(user: user))
            if json { return Console.json(body) }
            let report: UserReport = try OperatorClient.decode(body)
            for line in Self.lines(report) { Console.line(line) }
        } catch {
            throw Console.fail(error)
        }
    }

    static let notStored = "not on the owner's disk yet, which is slow"

    static func lines(_ report: UserReport) -> [String] {
        // An empty name means nobody, too.
        let owner = report.owner.flatMap { $0.isEmpty ? nil : $0 }
        var lines = [
            "user     \(Console.printable(report.user))",
            "key      \(report.hash), slot \(report.slot)",
            "owner    \(owner ?? "nobody: no member has weight") at epoch \(report.epoch)",
        ]
        if !report.next.isEmpty { lines.append("next     \(report.next.joined(separator: ", "))") }
        if report.online == true {
            lines.append("online   \(report.since.map { "since \(Clock.text($0))" } ?? "yes")")
        } else {
            let never = report.waiting == true ? "when last seen is not on the owner's disk yet" : "not seen for a day"
            lines.append("offline  \(report.lastSeen.map { "last seen \(Clock.text($0))" } ?? never)")
        }
        lines.append("cursor   \(report.cursor ?? (report.waiting == true ? Self.notStored : "none"))")
        if let history = report.history { lines.append("history  \(history.messages) messages, \(history.bytes) bytes") }
        if report.sockets.isEmpty { lines.append("sockets  none") }
        for edge in Set(report.sockets.map(\.edge)).sorted() {
            lines.append("sockets  on \(edge)")
            for socket in report.sockets where socket.edge == edge {
                let since = socket.connectedSeconds.map { "  for \(NodesCommand.duration(Double($0)))" } ?? ""
                lines.append(
                    "           \(socket.transport)\(socket.remote.map { "  \($0)" } ?? "")\(since)\(socket.cursor.map { "  at \($0)" } ?? "")"
                )
            }
        }
        if let unanswered = report.unanswered, !unanswered.isEmpty {
            lines.append("warning: no answer from \(unanswered.joined(separator: ", ")); they may hold sockets too")
        }
        return lines
    }
}
