// Measures the small parts that a message passes, each by itself: what takes how long, and what can be counted. One line of JSON a figure,
// for cluster/bench; a table for people. What is counted has limits, which MicrobenchTests holds it against.
import ArgumentParser
import CAllocationCounter

@main
struct Microbench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "microbench", abstract: "Time the ring, the codecs and the mailboxes; count what can be counted.",
        discussion: "Times mean something in a release build on a machine that does nothing else.")

    @Flag(help: "A table in place of lines of JSON.")
    var table = false

    @Flag(help: "Only what can be counted: the same in every run, on every machine.")
    var counts = false

    @Option(help: "Only what has this in its name.")
    var filter = ""

    func run() throws {
        if counts, !allocations_are_counted() { throw ValidationError("a build with a sanitizer counts no allocations.") }
        if counts {
            for figure in Counts.all() where matches(figure.name) { show(figure) }
        } else {
            for benchmark in Self.benchmarks where matches(benchmark.name) { show(benchmark.measure()) }
        }
    }

    static var benchmarks: [Benchmark] {
        RingBenchmarks.all + WireBenchmarks.all + LinkBenchmarks.all + MailboxBenchmarks.all + ViewProbes.all
    }

    private func matches(_ name: String) -> Bool { filter.isEmpty || name.contains(filter) }

    private func show(_ figure: Benchmark.Figure) {
        let value = Self.rounded(figure.value)
        if table {
            let allocations = figure.allocations.map { "  \(Self.rounded($0)) allocations" } ?? ""
            print(Self.padded(figure.name, to: 36), Self.padded(value, to: 10, isNumber: true), figure.unit + allocations)
        } else {
            let allocations = figure.allocations.map { ",\"allocations\":\(Self.rounded($0))" } ?? ""
            print("{\"name\":\"\(figure.name)\",\"value\":\(value),\"unit\":\"\(figure.unit)\"\(allocations)}")
        }
    }

    /// Two decimals below ten, none above a thousand.
    private static func rounded(_ value: Double) -> String {
        let indices: Double = value < 10 ? 100 : value < 1_000 ? 10 : 1
        let rounded = (value * indices).rounded() / indices
        return rounded == rounded.rounded() ? "\(Int(rounded))" : "\(rounded)"
    }

    private static func padded(_ text: String, to width: Int, isNumber: Bool = false) -> String {
        let space = String(repeating: " ", count: max(0, width - text.count))
        return isNumber ? space + text : text + space
    }
}
