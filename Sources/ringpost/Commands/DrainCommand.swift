// `ringpost drain`: a node gives its slots away, sends its clients elsewhere, leaves and ends. Nobody is disconnected who isn't
// told where to go on, and nothing is lost.
import ArgumentParser
import RingpostClient

struct DrainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Make a node hand over all it has, leave the ring, and end.",
        discussion: """
            Shows how far it is until the node has left. `ringpost weight n2 100` takes it back as long as it has not. A node that is
            told to stop by a signal does the same.

            EXAMPLE
              ringpost drain n2
            """)

    /// How often to look.
    private static let lookMilliseconds = 500

    @OptionGroup var api: APIOptions

    @Argument(help: "The node's id.")
    var node: String

    @Flag(help: "Return when the node has heard of it.")
    var noWait = false

    func run() async throws {
        let client = try api.client()
        do throws(OperatorError) { try await client.drain(node) } catch { throw Console.fail(error) }
        if noWait { return Console.line("\(node) is draining") }
        var watch = DrainWatch(node: node)
        var lastText = ""
        while true {
            let news: DrainWatch.News
            do throws(OperatorError) { news = watch.onNodes(try await client.nodes()) } catch { news = watch.onSilence(error) }
            switch news {
            case .progress(let text, let seconds):
                show("\(node): \(text)", seconds: seconds, isNews: text != lastText)
                lastText = text
            case .left(let sentence):
                endStatus()
                return Console.line(sentence)
            case .failed(let sentence):
                endStatus()
                throw Console.fail(OperatorError.unfinished(sentence))
            }
            try await Task.sleep(for: .milliseconds(Self.lookMilliseconds))
        }
    }

    /// In place on a terminal; elsewhere a line whenever something has changed.
    private func show(_ text: String, seconds: Int?, isNews: Bool) {
        let line = text + (seconds.map { " (\($0) s)" } ?? "")
        if Console.errorIsTerminal { Console.status(line) } else if isNews { Console.line(line) }
    }

    private func endStatus() { if Console.errorIsTerminal { Console.status("") } }
}
