// Plays simulated clusters, one seed after the other, and stops at the first that breaks a promise: then it prints the seed, what was
// done to the cluster, and what went wrong. The same seed plays the same run again.

import ArgumentParser
import Foundation
import Simulation

@main
struct SimulateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate", abstract: "Play whole clusters with faults, and check what must always hold.",
        discussion: "Without a schedule by name, each seed draws its own faults for 3 to 7 nodes.")

    @Option(help: "How many seeds to play.")
    var seeds = 500

    @Option(help: "The first seed.")
    var first: UInt64 = 1

    @Option(help: "How many nodes: one number, or a range like 3...7.")
    var nodes: String?

    @Option(help: "How many copies of each slot, 1 to 3; unless given the seed or the schedule says.")
    var copies: Int?

    @Option(help: "Play this seed only.")
    var seed: UInt64?

    @Option(help: ArgumentHelp("A schedule by name, or \"all\" for each of them with every seed.", valueName: "name"))
    var schedule: String?

    @Option(help: ArgumentHelp("Switch a guard off: \(SimulationSettings.guards.joined(separator: ", ")).", valueName: "guard"))
    var without: String?

    @Flag(help: "List the schedules that have a name.")
    var list = false

    @Flag(help: "Print all that happens; with --seed only.")
    var verbose = false

    @Flag(help: "Print a line for every run, and go on after a failure.")
    var keepGoing = false

    @Option(help: "How many runs side by side.")
    var jobs = max(1, ProcessInfo.processInfo.activeProcessorCount)

    @Option(help: ArgumentHelp("A file for the result, as Markdown.", valueName: "file"))
    var table: String?

    func validate() throws {
        if seeds < 1 { throw ValidationError("--seeds \(seeds): at least one.") }
        if jobs < 1 || jobs > 256 { throw ValidationError("--jobs \(jobs): from 1 to 256.") }
        if verbose, seed == nil { throw ValidationError("--verbose prints thousands of lines a run: say which --seed.") }
        if nodes != nil, nodeRange == nil { throw ValidationError("--nodes \(nodes ?? ""): expected 5, or 3...7, within 2...9.") }
        if let copies, !(1...3).contains(copies) { throw ValidationError("--copies \(copies): from 1 to 3.") }
        if let without, !SimulationSettings.guards.contains(without) { throw ValidationError("no guard is called \(without).") }
        if schedules == nil { throw ValidationError("no schedule is called \(schedule ?? ""); --list shows them.") }
    }

    func run() async throws {
        if list {
            for schedule in Schedule.named { print("\(schedule.name)\n    \(schedule.summary)") }
            return
        }
        let range = seed.map { $0...$0 } ?? first...(first + UInt64(seeds) - 1)
        var board = Scoreboard(runs: range.count * (schedules?.count ?? 1), isTerminal: isatty(STDERR_FILENO) == 1)
        do {
            for schedule in schedules ?? [] { try await play(range, schedule, &board) }
        } catch let error as ExitCode {
            try write(board)
            throw error
        }
        board.finish()
        try write(board)
        if board.failures > 0 { throw ExitCode(1) }
    }

    private func write(_ board: Scoreboard) throws {
        if let table { try Data(board.table.utf8).write(to: URL(fileURLWithPath: table)) }
    }

    private func play(_ range: ClosedRange<UInt64>, _ schedule: Schedule, _ board: inout Scoreboard) async throws {
        try await withThrowingTaskGroup(of: (UInt64, SimulationOutcome).self) { group in
            var next = range.lowerBound
            func add() {
                guard next <= range.upperBound else { return }
                let settings = settings(seed: next, schedule)
                group.addTask { (settings.seed, Simulation(settings).run()) }
                next += 1
            }
            for _ in 0..<(verbose ? 1 : jobs) { add() }
            while let (seed, outcome) = try await group.next() {
                board.count(outcome)
                if keepGoing { board.show(seed, schedule, outcome) }
                if !outcome.violations.isEmpty {
                    board.report(seed, schedule, outcome, command: command(seed, schedule))
                    if !keepGoing { throw ExitCode(1) }
                }
                add()
            }
        }
    }

    private func settings(seed: UInt64, _ schedule: Schedule) -> SimulationSettings {
        var settings = SimulationSettings(seed: seed, schedule: schedule)
        if schedule.name == Schedule.random.name || nodes != nil {
            let range = nodeRange ?? 3...7
            settings.nodes = range.lowerBound + Int(seed % UInt64(range.count))
        }
        if let copies { settings.copies = copies }
        if let without { _ = settings.switchOff(without) }
        if verbose { settings.trace = { print($0) } }
        return settings
    }

    /// `nil` when the name is nobody's.
    private var schedules: [Schedule]? {
        switch schedule {
        case nil: [.random]
        case "all": Schedule.named
        case "trap": without.map { [Schedule.trap(for: $0)] }
        case let name?: Schedule.named.first { $0.name == name }.map { [$0] }
        }
    }

    private var nodeRange: ClosedRange<Int>? {
        let parts = (nodes ?? "").replacing("...", with: "-").split(separator: "-").map { Int($0) }
        guard let least = parts.first ?? nil, let most = parts.last ?? nil, parts.count <= 2, least <= most, least >= 2, most <= 9 else {
            return nil
        }
        return least...most
    }

    /// What plays a seed again.
    private func command(_ seed: UInt64, _ schedule: Schedule) -> String {
        let name = schedule.name == Schedule.random.name ? "" : " --schedule \(schedule.name)"
        let given = [("nodes", nodes), ("copies", copies.map { "\($0)" }), ("without", without)]
        let options = given.compactMap { option, value in value.map { " --\(option) \($0)" } }.joined()
        return "cluster/simulate\(name)\(options) --seed \(seed) --verbose"
    }
}
