// `ringpost disconnect`: all sockets of a user are closed.
import ArgumentParser
import RingpostClient

struct DisconnectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disconnect",
        abstract: "Close all sockets of a user, on all nodes.",
        discussion: """
            They are told not to come back; what keeps a user out who comes back all the same is `ringpost revoke`. Needs an API key with the
            scope administer.

            EXAMPLE
              ringpost disconnect alice
              ringpost disconnect alice --resume
            """)

    @OptionGroup var api: APIOptions

    @Argument(help: "The user.")
    var user: String

    @Flag(help: "Tell them to connect again, and go on where they were.")
    var resume = false

    func run() async throws {
        let client = try api.client()
        do throws(OperatorError) {
            let report = try await client.disconnect(user: user, resume: resume)
            Console.line("\(report.sockets) \(report.sockets == 1 ? "socket" : "sockets") of \(Console.printable(report.user)) closed")
            if let unanswered = report.unanswered, !unanswered.isEmpty {
                throw .unfinished("no answer from \(unanswered.joined(separator: ", ")); they may hold sockets too: try again")
            }
        } catch {
            throw Console.fail(error)
        }
    }
}
