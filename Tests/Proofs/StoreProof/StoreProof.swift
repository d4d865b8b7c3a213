// Writes into a store: until it is killed, until its disk is full, or to measure it. RingpostStoreTests runs it as another process, because
// only another process can be killed.
import ArgumentParser

@main
struct StoreProof: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "store-proof", abstract: "Write into a store of copies, and say what was acknowledged.",
        subcommands: [WriteCommand.self, CheckCommand.self, MeasureCommand.self])
}
