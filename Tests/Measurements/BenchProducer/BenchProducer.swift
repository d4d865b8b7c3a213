// What a producer can put into a cluster, measured as a user of the library sees it; and what a link between two nodes carries.
// `cluster/bench` starts it beside a node and beside clients that read what it sends.

import ArgumentParser

@main
struct BenchProducer: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench-producer", abstract: "Measure what goes in over links.", subcommands: [PublishCommand.self, LinkCommand.self],
        defaultSubcommand: PublishCommand.self)
}
