import ArgumentParser

@main
struct Ringpost: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "ringpost", subcommands: [NodeCommand.self])
}
