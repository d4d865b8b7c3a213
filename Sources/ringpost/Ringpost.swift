// The program: one command, one file a subcommand.
import ArgumentParser
import RingpostNode

@main
struct Ringpost: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ringpost",
        abstract: "Hand a message to any node, and it arrives on every socket that its user holds.",
        discussion: "Begin with `ringpost node`, then `ringpost listen --user alice` and `ringpost send --user alice hello`.",
        version: RingpostVersion.text,
        groupedSubcommands: [
            CommandGroup(name: "Running", subcommands: [NodeCommand.self, LimitsCommand.self]),
            CommandGroup(
                name: "Messages",
                subcommands: [SendCommand.self, ListenCommand.self, HistoryCommand.self, ChatCommand.self, ReplayCommand.self]),
            CommandGroup(
                name: "Operating",
                subcommands: [
                    RingCommand.self, NodesCommand.self, LocateCommand.self, ChannelCommand.self, PlanCommand.self, DrainCommand.self,
                    WeightCommand.self, ForgetCommand.self,
                ]),
            CommandGroup(
                name: "Trust", subcommands: [KeyCommand.self, TokenCommand.self, RevokeCommand.self, DisconnectCommand.self]),
        ])
}
