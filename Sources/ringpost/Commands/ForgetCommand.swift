// `ringpost forget`: a node that is gone for good is not waited for.
import ArgumentParser
import RingpostClient

struct ForgetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget",
        abstract: "Say that a node is gone for good, so that nobody waits for it.",
        discussion: """
            Slots of which it may have the only copy begin anew at once, and their clients are told of a gap. What the node still has on its
            disk or in memory counts no more, also if it comes back. `ringpost ring` names those that slots wait for. Refused while the node
            is a member, or while its process answers.

            EXAMPLE
              ringpost forget n2
            """)

    @OptionGroup var api: APIOptions

    @Argument(help: "The node's id.")
    var node: String

    func run() async throws {
        let client = try api.client()
        do throws(OperatorError) { try await client.forget(node) } catch { throw Console.fail(error) }
        Console.line("nobody waits for \(node) any more, and what it still holds counts no more")
    }
}
