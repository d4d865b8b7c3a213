// What a link between two nodes carries: two processes, each with one event loop on a processor of its own. This one makes the messages and
// forwards them, the other one owns all users and acknowledges. It is this program again, started with `--other`.

import ArgumentParser
import Foundation
import Glibc
import RingpostNode

struct LinkCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "link", abstract: "Forward messages from one node to another, and print one line of JSON.")

    /// The first way is the one that `perSecond` is about.
    @Option(help: ArgumentHelp("What a message goes through; may be given several times.", valueName: "link|owner|nodes"))
    var way: [Way] = [.link, .owner, .nodes]

    @Option(help: "How many messages.")
    var messages = 3_000_000

    @Option(help: "How many users.")
    var users = 1_000

    @Option(help: "Bytes of a message.")
    var size = 128

    @Option(help: "How many of them unanswered at once.")
    var window = LinkCommand.windowDefault

    @Option(help: "The processors of the two sides.")
    var processors: [Int] = [0, 1]

    @Option(help: ArgumentHelp("Be the other side of a node that listens here.", visibility: .hidden))
    var other: Int?

    /// Enough that either side always finds something to do, and few enough that it stays in the processors' caches.
    static let windowDefault = 4_096
    /// A node has no more unanswered than this.
    static let windowMax = 65_536
    /// Messages before those that count.
    private static let warmUp = 500_000

    typealias Way = LinkTrial.Way

    func validate() throws {
        if messages < 1 || users < 1 || way.isEmpty { throw ValidationError("--messages, --users and --way take one at least.") }
        if size < 2 { throw ValidationError("--size \(size): 2 at least.") }
        if !(1...Self.windowMax).contains(window) { throw ValidationError("--window \(window): 1 to \(Self.windowMax).") }
        if processors.count != 2 { throw ValidationError("--processors takes two.") }
    }

    func run() async throws {
        if let other { return try await own(other) }
        var report: [String] = []
        for way in way {
            let figures = try await measure(way)
            report += figures.map { name, value in
                let isFirst = way == self.way.first
                return "\"\(isFirst ? name : way.rawValue + name.prefix(1).uppercased() + name.dropFirst())\":\(value)"
            }
        }
        print("{\(report.joined(separator: ","))}")
    }

    /// Whoever started it ends it.
    private func own(_ other: Int) async throws {
        let trial = try await LinkTrial(way[0], isOwner: true)
        FileHandle.standardOutput.write(Data("\(trial.port)\n".utf8))
        try await trial.join(otherPort: other)
        while readLine() != nil {}
        Glibc._exit(0)
    }

    private func measure(_ way: Way) async throws -> [(String, String)] {
        let trial = try await LinkTrial(way, isOwner: false)
        let other = try OtherSide(way, port: trial.port)
        defer { other.end() }
        try await trial.join(otherPort: try other.port())
        for (processor, process) in zip(processors, [getpid(), other.number]) { try Processor.take(processor, for: process) }
        _ = try await trial.send(min(messages, Self.warmUp), size: size, users: users, window: window)
        let (cpu, otherCPU) = (BenchClock.cpu(), other.cpu())
        let outcome = try await trial.send(messages, size: size, users: users, window: window)
        let (took, otherTook) = (BenchClock.cpu() - cpu, other.cpu() - otherCPU)
        try await trial.end()
        let seconds = Double(outcome.microseconds) / 1e6
        let each = { (value: Double) in "\((value / Double(messages) * 1e4).rounded() / 1e4)" }
        return [
            ("messages", "\(messages)"), ("acknowledged", "\(outcome.acknowledged)"), ("refused", "\(outcome.refused)"),
            ("seconds", "\(seconds)"), ("perSecond", "\(Int(Double(outcome.acknowledged) / seconds))"),
            ("senderMicroseconds", each(took * 1e6)), ("ownerMicroseconds", each(otherTook * 1e6)),
            ("bytesPerMessage", "\(outcome.messageBytes)"), ("bytesPerReceipt", "\(outcome.receiptBytes)"),
            ("writesPerMessage", each(Double(outcome.writes))),
        ]
    }
}

extension LinkTrial.Way: ExpressibleByArgument {}

/// The process that owns all users.
private final class OtherSide {
    private let process = Process()
    private let (input, output) = (Pipe(), Pipe())
    private var clock = clockid_t()

    init(_ way: LinkTrial.Way, port: Int) throws {
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["link", "--way", way.rawValue, "--other", "\(port)"]
        process.standardInput = input
        process.standardOutput = output
        try process.run()
        clock_getcpuclockid(number, &clock)
    }

    var number: Int32 { process.processIdentifier }

    /// Where it listens, which is the only line that it says.
    func port() throws -> Int {
        var line = ""
        while !line.hasSuffix("\n") {
            let bytes = output.fileHandleForReading.availableData
            if bytes.isEmpty { throw NodeError("the other side has ended") }
            line += String(decoding: bytes, as: UTF8.self)
        }
        guard let port = Int(line.dropLast()) else { throw NodeError("the other side says \(line)") }
        return port
    }

    /// Seconds that it has taken of the processors.
    func cpu() -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// It reads to the end of its input, and that is it. It also comes there when this process breaks off.
    func end() { try? input.fileHandleForWriting.close() }
}

private enum Processor {
    /// For all threads of a process that there are, and those that they begin. What sets it in C is hidden from Swift, which builds
    /// without _GNU_SOURCE.
    static func take(_ processor: Int, for process: Int32) throws {
        let command = Process()
        command.executableURL = URL(fileURLWithPath: "/usr/bin/taskset")
        command.arguments = ["--all-tasks", "--pid", "--cpu-list", "\(processor)", "\(process)"]
        command.standardOutput = FileHandle.nullDevice
        try command.run()
        command.waitUntilExit()
        if command.terminationStatus != 0 { throw NodeError("there is no processor \(processor)") }
    }
}
