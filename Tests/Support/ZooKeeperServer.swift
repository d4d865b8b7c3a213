// A real ZooKeeper server, as Debian installs it, run by hand in a temporary folder: about 60 MB and half a second each.

import Foundation
import Synchronization

/// One ZooKeeper server: alone, or one of a `ZooKeeperEnsemble`.
public final class ZooKeeperServer: Sendable {
    /// How long a server may take until it serves; on a busy machine Java alone takes seconds.
    static let startSecondsMax = 30.0
    /// How long a server may take to end when asked, before it is killed.
    static let stopSecondsMax = 5.0

    /// The port for clients.
    public let port: Int
    /// Where it runs and listens.
    public let namespace: ProcessNamespace
    private let folder: TemporaryFolder
    private let configurationFile: String
    private let properties: [String]
    private let process = Mutex<ChildProcess?>(nil)

    /// For a session: `host:port`.
    public var connectString: String { "\(namespace.host):\(port)" }

    /// Starts a single server and waits until it serves.
    ///
    /// - Parameters:
    ///   - tickTimeMilliseconds: sessions are granted between 2 and 20 of it.
    ///   - place: where it runs.
    ///   - properties: Java's, as `name=value`.
    /// - Throws: `DeadlineExceeded` with the server's output if it does not serve within 30 s.
    public static func start(
        tickTimeMilliseconds: Int = 500, namespace: ProcessNamespace = .loopback, properties: [String] = []
    ) async throws -> ZooKeeperServer {
        let server = try ZooKeeperServer(
            namespace, port: FreePorts.take(1)[0], tickTimeMilliseconds: tickTimeMilliseconds, syncLimitTicks: 4, number: nil, quorum: [],
            properties: properties)
        try await server.start()
        return server
    }

    /// Writes the configuration of a server that is not started yet. `quorum` holds the lines that name the ensemble's servers.
    init(
        _ namespace: ProcessNamespace, port: Int, tickTimeMilliseconds: Int, syncLimitTicks: Int, number: Int?, quorum: [String],
        properties: [String] = []
    ) throws {
        self.namespace = namespace
        self.properties = properties
        self.port = port
        folder = try TemporaryFolder("zookeeper")
        try FileManager.default.createDirectory(atPath: folder.file("data"), withIntermediateDirectories: true)
        try folder.write(Self.logging, to: "log4j.properties")
        if let number { try folder.write("\(number)\n", to: "data/myid") }
        let lines = [
            "tickTime=\(tickTimeMilliseconds)", "initLimit=40", "syncLimit=\(syncLimitTicks)",
            "minSessionTimeout=\(2 * tickTimeMilliseconds)", "maxSessionTimeout=\(20 * tickTimeMilliseconds)",
            "dataDir=\(folder.file("data"))", "clientPort=\(port)", "clientPortAddress=\(namespace.host)", "maxClientCnxns=0",
            "admin.enableServer=false", "4lw.commands.whitelist=*", "quorumListenOnAllIPs=false",
        ]
        configurationFile = try folder.write((lines + quorum).joined(separator: "\n") + "\n", to: "zoo.cfg")
    }

    deinit {
        // Before its folder goes, or it would write into what is being removed.
        kill()
    }

    /// Starts it and waits until it serves: of an ensemble's servers, that takes a majority. On the same port and data as before.
    ///
    /// - Throws: `DeadlineExceeded` with the server's output if it ends, or does not serve within 30 s.
    public func start() async throws {
        try launch()
        try await waitUntilServing()
    }

    /// Whether its process is there; a paused one is.
    public var isRunning: Bool { process.withLock { $0?.isRunning ?? false } }

    /// Ends it in order (SIGTERM), or if that takes too long, by force. Data and port stay its own.
    public func stop() async {
        guard let ended = process.withLock({ $0.take() }) else { return }
        ended.resume()
        ended.terminate()
        do {
            try await ended.waitForExit(deadlineSeconds: Self.stopSecondsMax)
        } catch {
            // Too slow, or the test was cancelled: the process goes by force with its last reference, here.
            ended.kill()
        }
    }

    /// Ends it at once (SIGKILL), as a crash would. Data and port stay its own.
    public func kill() {
        process.withLock { $0.take() }?.kill()
    }

    /// Forgets everything, while it is stopped.
    public func loseData() throws {
        precondition(!isRunning, "The ZooKeeper server on port \(port) runs.")
        try FileManager.default.removeItem(atPath: folder.file("data/version-2"))
    }

    /// Keeps what it has now, while it is stopped; see ``restore()``.
    public func backUp() throws {
        precondition(!isRunning, "The ZooKeeper server on port \(port) runs.")
        try FileManager.default.copyItem(atPath: folder.file("data/version-2"), toPath: folder.file("backup"))
    }

    /// Goes back to what ``backUp()`` has kept, while it is stopped.
    public func restore() throws {
        try loseData()
        try FileManager.default.copyItem(atPath: folder.file("backup"), toPath: folder.file("data/version-2"))
    }

    /// Stops it where it stands (SIGSTOP): connections stay open and nothing answers.
    public func pause() { process.withLock { $0 }?.suspend() }

    /// Lets it go on after `pause`.
    public func resume() { process.withLock { $0 }?.resume() }

    /// `stop` and `start`.
    public func restart() async throws {
        await stop()
        try await start()
    }

    /// Asks a four-letter word, such as `srvr`, `stat`, `cons` or `dump`; `nil` if nobody answers within a second.
    public func ask(_ fourLetters: String) -> String? {
        LoopbackSocket.ask(namespace.host, port: port, Array(fourLetters.utf8)).flatMap {
            $0.isEmpty ? nil : String(decoding: $0, as: UTF8.self)
        }
    }

    /// ZooKeeper's own command line, as an operator types it, such as `["get", "/path"]`: what it prints.
    ///
    /// - Throws: `DeadlineExceeded` if it does not end within 30 s.
    public func command(_ words: [String]) async throws -> String {
        let classes = [folder.path] + Self.archives + ["/usr/share/java/commons-cli.jar"]
        let client = try ChildProcess(
            "/usr/bin/java",
            arguments: [
                "-Xmx64m", "-XX:TieredStopAtLevel=1", "-cp", classes.joined(separator: ":"), "org.apache.zookeeper.ZooKeeperMain",
                "-server", connectString,
            ] + words, namespace: namespace)
        try await client.waitForExit(deadlineSeconds: Self.startSecondsMax)
        return client.output
    }

    /// `standalone`, `leader` or `follower`, `nil` while it does not serve.
    public var mode: String? {
        let line = ask("srvr")?.split(separator: "\n").first { $0.hasPrefix("Mode: ") }
        return line.map { String($0.dropFirst("Mode: ".count)) }
    }

    /// The server's log so far.
    public var output: String { process.withLock { $0?.output ?? "" } }

    func launch() throws {
        try process.withLock { process in
            precondition(process?.isRunning != true, "The ZooKeeper server on port \(port) runs already.")
            process = try ChildProcess(
                "/usr/bin/java",
                arguments: [
                    "-Xmx64m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Dzookeeper.preAllocSize=256",
                ] + properties.map { "-D\($0)" } + [
                    "-cp", ([folder.path] + Self.archives).joined(separator: ":"),
                    "org.apache.zookeeper.server.quorum.QuorumPeerMain", configurationFile,
                ], namespace: namespace)
        }
    }

    func waitUntilServing() async throws {
        let process = process.withLock { $0 }
        let deadline = ContinuousClock.now + .seconds(Self.startSecondsMax)
        while mode == nil {
            guard let process, process.isRunning, ContinuousClock.now < deadline else {
                throw DeadlineExceeded("ZooKeeper on port \(port) does not serve. \(process?.lastOutput ?? "It was ended.")")
            }
            try await Task.sleep(for: .milliseconds(30))
        }
    }

    private static let archives = ["zookeeper", "slf4j-log4j12", "log4j-1.2"].map { "/usr/share/java/\($0).jar" }

    private static let logging = """
        log4j.rootLogger=INFO, out
        log4j.appender.out=org.apache.log4j.ConsoleAppender
        log4j.appender.out.layout=org.apache.log4j.PatternLayout
        log4j.appender.out.layout.ConversionPattern=%d{ABSOLUTE} %-5p %c{1} %m%n

        """
}
