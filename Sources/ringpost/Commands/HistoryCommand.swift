// `ringpost history`: pages through what a user or a channel was sent.
import ArgumentParser
import RingpostClient

struct HistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Page through what a user or a channel was sent.",
        discussion: """
            Without --since it reads backwards: the newest messages, or those before --before. With --since it reads forwards; with both,
            what lies between them. Messages are printed in their order; what to give for the next page is said at the end.

            EXAMPLE
              ringpost history user alice
              ringpost history user alice --limit 20 --before 0123456789abcdef-42
              ringpost history channel room --since earliest --json
            """)

    enum Kind: String, ExpressibleByArgument, CaseIterable {
        case user, channel
    }

    @OptionGroup var api: APIOptions

    @Option(help: ArgumentHelp("Reads forwards, after the message with this cursor, or from earliest.", valueName: "cursor"))
    var since: String?

    @Option(help: ArgumentHelp("Reads messages before the one with this cursor.", valueName: "cursor"))
    var before: String?

    @Option(help: "Messages of one page, 1 to \(MessagePage.countMax). (default: 100)")
    var limit: Int?

    @Flag(help: "Print the node's answer, JSON.")
    var json = false

    @Argument(help: "user or channel.")
    var kind: Kind

    @Argument(help: "The user or channel.")
    var name: String

    func validate() throws {
        if let limit, !(1...MessagePage.countMax).contains(limit) {
            throw ValidationError("--limit is a number from 1 to \(MessagePage.countMax)")
        }
    }

    func run() async throws {
        let client = try api.client()
        let path =
            switch kind {
            case .user: OperatorClient.historyPath(user: name, since: since, before: before, limit: limit)
            case .channel: OperatorClient.historyPath(channel: name, since: since, before: before, limit: limit)
            }
        do throws(OperatorError) {
            let body = try await client.get(path)
            if json { return Console.json(body) }
            show(try OperatorClient.page(body))
        } catch {
            throw Console.fail(error)
        }
    }

    private func show(_ page: MessagePage) {
        let isBackwards = since == nil
        if page.gap { Console.note("gap: what came before this is not kept any more") }
        for message in page.messages { Console.line(message.line(at: Clock.text(message.at))) }
        if page.messages.isEmpty { Console.note("no messages") }
        let option = isBackwards ? "--before" : "--since"
        if page.hasMore {
            Console.note("there is more: \(option) \(page.next)")
        } else if !isBackwards {
            Console.note("this is the end; what comes later: --since \(page.next)")
        }
    }
}
