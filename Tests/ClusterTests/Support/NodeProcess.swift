// One node as a process of its own, on ports of its own. It can be ended, paused and started again, and its log tells about all its lives.

import Foundation
import Synchronization
import TestSupport

final class NodeProcess: Sendable {
    /// A debug build computes a ring in half a second, and the machine may be busy.
    static let startSecondsMax = 60.0

    let id: String
    let client: Int
    let api: Int
    let link: Int
    let weight: Int
    /// Who has signed the certificates of its client and API ports, a file; `nil` where they speak no TLS.
    let authority: String?
    private let arguments: [String]
    private let environment: [String: String]
    private let disk: SmallDisk?
    private let folder: TemporaryFolder
    private let process = Mutex<ChildProcess?>(nil)

    /// Takes ports; `start()` starts it.
    ///
    /// - Parameters:
    ///   - link: the link port, where the options name it.
    ///   - options: besides the id, the ports and ZooKeeper.
    ///   - authority: who has signed the certificates in these, a file.
    ///   - disk: a file system that only this node sees.
    init(
        _ id: String, zookeeper: String? = nil, weight: Int = 100, link: Int? = nil, options: [String] = [],
        environment: [String: String] = [:],
        authority: String? = nil, disk: SmallDisk? = nil
    ) throws {
        let ports = try FreePorts.take(3)
        (client, api, self.link) = (ports[0], ports[1], link ?? ports[2])
        self.id = id
        self.weight = weight
        self.environment = environment
        self.authority = authority
        self.disk = disk
        folder = try TemporaryFolder("node-\(id)")
        let servers = zookeeper.map { ["--zookeeper", $0] } ?? []
        arguments =
            [
                "node", "--id", id, "--client", "127.0.0.1:\(ports[0])", "--api", "127.0.0.1:\(ports[1])", "--link",
                "127.0.0.1:\(ports[2])",
                "--weight", "\(weight)", "--loops", "2",
            ] + servers + (options.contains("--drain-seconds") ? [] : ["--drain-seconds", "1"]) + options
        Logs.add(self)
    }

    deinit { kill() }

    /// A node alone, started and ready.
    static func alone(
        _ id: String = "n1", link: Int? = nil, options: [String] = [], authority: String? = nil, disk: SmallDisk? = nil
    ) async throws -> NodeProcess {
        let node = try NodeProcess(id, link: link, options: options, authority: authority, disk: disk)
        try await node.start()
        return node
    }

    /// Starts it, also after it has ended; does not wait.
    func launch() throws {
        try process.withLock { process in
            precondition(process?.isRunning != true, "node \(id) runs already")
            process = try RingpostProgram.start(arguments, environment: environment, outputFile: folder.file("log"), disk: disk)
        }
    }

    /// Starts it and waits until it is in a ring.
    func start() async throws {
        try launch()
        try await waitUntilReady()
    }

    func waitUntilReady() async throws {
        try await eventually(within: Self.startSecondsMax, "node \(id) is ready. Its log: \(log)") {
            try requireRunning()
            return try await get("/readyz")?.status == 200
        }
    }

    /// - Throws: with its log, if the process has ended.
    func requireRunning() throws {
        if let status = exitStatus { throw HarnessError("node \(id) has ended with status \(status):\n\(log)") }
    }

    var pid: Int32? { process.withLock { $0?.pid } }
    var exitStatus: Int32? { process.withLock { $0?.exitStatus } }
    func terminate() { process.withLock { $0 }?.terminate() }
    func kill() { process.withLock { $0.take() }?.kill() }
    func hangUp() { process.withLock { $0 }?.hangUp() }
    func resume() { process.withLock { $0 }?.resume() }

    /// Stops it where it stands, and waits until every thread does: on a busy machine, some go on for a moment.
    func suspend() async throws {
        guard let running = process.withLock({ $0 }) else { throw HarnessError("node \(id) was not started") }
        running.suspend()
        let tasks = "/proc/\(running.pid)/task"
        try await eventually(within: 30, "all threads of \(id) stand", pollMilliseconds: 2) {
            try FileManager.default.contentsOfDirectory(atPath: tasks).allSatisfy { thread in
                // A thread that has just ended stands as well. The state follows the name, which ends with the last parenthesis.
                guard let stat = try? String(contentsOfFile: "\(tasks)/\(thread)/stat", encoding: .utf8) else { return true }
                return stat.components(separatedBy: ") ").last?.hasPrefix("T") == true
            }
        }
    }

    func waitForExit(seconds: Double) async throws -> Int32 {
        guard let running = process.withLock({ $0 }) else { throw HarnessError("node \(id) was not started") }
        return try await running.waitForExit(deadlineSeconds: seconds)
    }

    /// What it has logged in all its lives.
    var log: String {
        let data = FileManager.default.contents(atPath: folder.file("log"))
        return String(decoding: data ?? Data(), as: UTF8.self)
    }

    func waitForLog(_ text: String, seconds: Double) async throws {
        try await eventually(within: seconds, "\"\(text)\" in the log of \(id):\n\(log)") { log.contains(text) }
    }
}

/// What went wrong with a test's own tools.
struct HarnessError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
