// `ringpost channel`: who listens to a channel.
import ArgumentParser
import RingpostClient

struct ChannelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "channel",
        abstract: "Show who listens to a channel, where it is placed, and who owns it.",
        discussion: "Example: ringpost channel room")

    @OptionGroup var api: APIOptions

    @Flag(help: "Print the node's answer, JSON.")
    var json = false

    @Argument(help: "The channel.")
    var channel: String

    func run() async throws {
        let client = try api.client()
        do throws(OperatorError) {
            let body = try await client.get(OperatorClient.path(channel: channel))
            if json { return Console.json(body) }
            let report: ChannelReport = try OperatorClient.decode(body)
            for line in Self.lines(report) { Console.line(line) }
        } catch {
            throw Console.fail(error)
        }
    }

    static func lines(_ report: ChannelReport) -> [String] {
        var lines = [
            "channel      \(Console.printable(report.channel))",
            "key          \(report.hash), slot \(report.slot)",
            "owner        \(report.owner) at epoch \(report.epoch)",
        ]
        if !report.next.isEmpty { lines.append("next         \(report.next.joined(separator: ", "))") }
        lines.append("cursor       \(report.cursor ?? (report.waiting == true ? LocateCommand.notStored : "none"))")
        if let history = report.history { lines.append("history      \(history.messages) messages, \(history.bytes) bytes") }
        let indices = report.nodes.map { "\($0.subscribers) on \($0.node)" }.joined(separator: ", ")
        lines.append("subscribers  \(report.subscribers)\(indices.isEmpty ? "" : ": \(indices)")")
        for user in report.users {
            let sockets = user.sockets == 0 ? "away for a moment" : user.sockets == 1 ? "1 socket" : "\(user.sockets) sockets"
            lines.append("             \(Console.printable(user.user))  \(sockets)")
        }
        if !report.complete { lines.append("warning: the owner has only just begun; a node may not have said yet who listens there") }
        return lines
    }
}
