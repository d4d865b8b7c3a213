// `torture`: real nodes, a real ZooKeeper, a chat that never stops, and everything that can happen to a cluster. See cluster/torture.

import ArgumentParser
import Foundation

@main
struct Torture: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "torture",
        abstract: "Do to a cluster what can happen to one, while a chat runs through it, and check every message.",
        discussion: """
            Ends with status 1 if anything acknowledged was lost, came twice or in disorder, if two nodes spoke for one user, or if a socket
            ended whose node stayed.
            """)

    enum Mode: String, ExpressibleByArgument {
        /// Namespaces where the machine allows them, else proxies.
        case auto
        case namespaces
        case proxies
        /// Nothing is cut.
        case loopback
    }

    @Option(help: "Draw faults for so long; the last one is played to its end.")
    var minutes = 3.0
    @Option(help: "Draw each fault so many times instead.")
    var rounds: Int?
    @Option(help: "Decides which faults come, in which order and to whom.")
    var seed: UInt64?
    @Option(help: "Nodes that are there throughout, 3 to 7; two more come and go.")
    var nodes = 3
    @Option(help: "ZooKeeper servers, 1 or 3.")
    var zookeepers = 1
    @Option(help: "Milliseconds after which ZooKeeper takes a silent node for dead.")
    var sessionTimeout = 3_000
    @Option(help: "Nodes keep their copies on a disk: fsync or written.")
    var durability: String?
    @Option(help: "How many nodes have each message, 2 or 3. With 3, two nodes are killed at once, also without disks.")
    var copies = 2
    @Option(help: "Users.")
    var users = 60
    @Option(help: "Messages a second, all users together.")
    var rate = 200.0
    @Option(help: "A chat log, one JSON object a line. (default: a generated chat)")
    var chat: String?
    @Option(help: "The faults to draw from, comma separated: \(Fault.allCases.map(\.rawValue).joined(separator: ", ")). (default: all)")
    var faults: String?
    @Option(
        help:
            "Whether hosts are network namespaces, or ways lead through proxies, or nothing can be cut: namespaces, proxies, loopback; auto."
    )
    var mode = Mode.auto
    @Option(help: "The program under torture. (default: ringpost beside this one)")
    var program: String?
    @Option(help: "A folder for the logs.")
    var logs = "cluster/.run/torture"
    @Option(help: "What is tested, for the report.")
    var commit = "unknown"
    @Option(help: "A file for the report's table, as Markdown.")
    var table: String?
    @Flag(help: "Print the three figures instead: a join under 10,000 sockets, an owner's death, an orderly stop.")
    var figures = false
    @Option(help: "Only this figure: join, death or stop. Repeatable.")
    var figure: [Figures.Name] = []
    @Option(help: "Sockets for the figure of a join.")
    var sockets = 10_000

    func validate() throws {
        if !(3...7).contains(nodes) { throw ValidationError("--nodes is 3 to 7") }
        if ![1, 3].contains(zookeepers) { throw ValidationError("--zookeepers is 1 or 3") }
        if let durability, !["fsync", "written"].contains(durability) { throw ValidationError("--durability is fsync or written") }
        if !(2...3).contains(copies) { throw ValidationError("--copies is 2 or 3: with 1 every death loses something") }
        if !(1_000...60_000).contains(sessionTimeout) { throw ValidationError("--session-timeout is 1000 to 60000") }
        if !(1...5_000).contains(users) { throw ValidationError("--users is 1 to 5000") }
        if let rounds, rounds < 1 { throw ValidationError("--rounds is 1 or more") }
        if rate <= 0 || minutes <= 0 { throw ValidationError("--rate and --minutes are more than 0") }
        if !(100...18_000).contains(sockets) { throw ValidationError("--sockets is 100 to 18000: each is a descriptor of this process") }
        _ = try chosenFaults()
    }

    func run() async throws {
        Self.raiseDescriptorLimit()
        if mode == .auto || mode == .namespaces, !Isolation.isInside {
            let reason = await Isolation.enter()
            if mode == .namespaces { throw TortureError("no network namespaces here: \(reason)") }
            FileHandle.standardError.write(Data("no network namespaces here, so proxies cut the ways: \(reason)\n".utf8))
        }
        let settings = try settings()
        try Self.takeTemporaryFolder(in: settings.logs)
        let timeline = try Timeline(folder: settings.logs)
        let landscape: any Landscape =
            if Isolation.isInside {
                try await NamespaceLandscape(hosts: settings.nodeHosts + settings.zookeeperHosts)
            } else if mode == .loopback { LoopbackLandscape() } else { ProxyLandscape() }
        timeline.say("seed \(settings.seed), \(landscape.mode), logs in \(settings.logs)")
        let isClean =
            figures || !figure.isEmpty
            ? try await Figures(settings: settings, landscape: landscape, timeline: timeline, sockets: sockets)
                .run(figure.isEmpty ? Figures.Name.allCases : figure)
            : try await TortureRun(settings: settings, landscape: landscape, timeline: timeline).perform()
        if !isClean { throw ExitCode.failure }
    }

    private func settings() throws -> TortureSettings {
        let beside = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
        let program = program ?? beside.appendingPathComponent("ringpost").path
        return TortureSettings(
            program: program, seed: seed ?? .random(in: 0...999_999), minutes: minutes, rounds: rounds, nodeCount: nodes,
            zookeeperCount: zookeepers, sessionMilliseconds: sessionTimeout, durability: durability, copies: copies, userCount: users,
            perSecond: rate, faults: try chosenFaults(), chat: chat, logs: logs, commit: commit, table: table)
    }

    private func chosenFaults() throws -> [Fault] {
        guard let faults else { return Fault.allCases }
        return try faults.split(separator: ",").map { name in
            guard let fault = Fault(rawValue: String(name)) else { throw ValidationError("there is no fault \(name)") }
            return fault
        }
    }

    /// What a run leaves behind when it is killed, the next one removes.
    private static func takeTemporaryFolder(in folder: String) throws {
        let path = URL(fileURLWithPath: folder).appendingPathComponent("tmp").path
        try? FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        setenv("TMPDIR", path, 1)
    }

    /// Children inherit it.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }
}
