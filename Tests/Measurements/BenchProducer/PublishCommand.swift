// Messages for many users through the library's producer, as many under way as asked for. Each begins with the moment at which it was
// handed over, so that whoever reads it at the other end knows how long it took.

import ArgumentParser
import RingpostClient

struct PublishCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "publish", abstract: "Publish to users u0, u1, … through RingpostClient, and print one line of JSON.")

    @Option(help: ArgumentHelp("A node's API, which names the links.", valueName: "host:port"))
    var api = "127.0.0.1:8081"

    @Option(help: ArgumentHelp("A node's link port, instead of asking an API.", valueName: "host:port"))
    var link: String?

    @Option(help: "How many users.")
    var users = 1_000

    @Option(help: "How many messages.")
    var messages = 200_000

    @Option(help: "How many of them unanswered at once.")
    var window = 256

    @Option(help: "Bytes of a message.")
    var size = 128

    @Option(help: "Messages a second; 0: as fast as they are answered.")
    var rate = 0

    func validate() throws {
        if users < 1 || messages < 1 || window < 1 { throw ValidationError("--users, --messages and --window take 1 at least.") }
        if size < BenchMessage.stampBytes { throw ValidationError("--size \(size): a time stamp takes \(BenchMessage.stampBytes).") }
        if rate < 0 { throw ValidationError("--rate \(rate): 0 at least.") }
    }

    func run() async throws {
        var options = Producer.Options()
        options.inFlightMax = window
        let producer =
            if let link {
                Producer(links: [try Endpoint(link)], options: options)
            } else {
                Producer(api: [try Endpoint(api)], options: options)
            }
        try await producer.connect()
        let run = PublishRun(producer, users: users, messages: messages, size: size)
        if rate > 0 { try await run.paced(rate: rate) } else { await run.asFastAsAnswered(window: window) }
        print(run.report)
        await producer.close()
    }
}
