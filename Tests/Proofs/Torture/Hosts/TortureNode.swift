// One node: a process that can be killed, frozen, stopped in order and started again, at addresses that stay its own.

import Foundation
import RingpostClient
import Synchronization
import TestSupport

final class TortureNode: Sendable {
    let id: String
    let client: Endpoint
    let api: Endpoint
    let link: Endpoint
    let credentials: Credentials
    private let namespace: ProcessNamespace
    private let program: String
    /// Besides the id and the ports.
    private let options = Mutex<[String]>([])
    private let logFile: String
    private let process = Mutex<ChildProcess?>(nil)

    init(_ id: String, program: String, namespace: ProcessNamespace, logs: String, credentials: Credentials) throws {
        self.credentials = credentials
        self.id = id
        self.program = program
        self.namespace = namespace
        let ports = try FreePorts.take(3)
        (client, api, link) = (
            Endpoint(host: namespace.host, port: ports[0]), Endpoint(host: namespace.host, port: ports[1]),
            Endpoint(host: namespace.host, port: ports[2])
        )
        logFile = "\(logs)/\(id).log"
    }

    /// Options of its command line besides the id and the ports, from its next start on.
    func set(_ options: [String]) { self.options.withLock { $0 = options } }

    deinit { process.withLock { $0 }?.kill() }

    /// Starts it, also after it has ended; does not wait until it serves.
    func start() throws {
        // A node's settings in our own environment are not meant for these nodes.
        let environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("RINGPOST_") || $0.key == "RINGPOST_TEST_RUN" }
        let arguments =
            ["node", "--id", id, "--client", "\(client)", "--api", "\(api)", "--link", "\(link)", "--loops", "2"]
            + options.withLock { $0 }
        try process.withLock { process in
            precondition(process?.isRunning != true, "node \(id) runs already")
            process = try ChildProcess(program, arguments: arguments, environment: environment, outputFile: logFile, namespace: namespace)
        }
    }

    /// Asks it, and gives it orders.
    var operators: OperatorClient { OperatorClient(api: [api], apiKey: credentials.apiKey) }

    var isRunning: Bool { process.withLock { $0?.isRunning ?? false } }
    /// `nil` while it runs and before it was started.
    var exitStatus: Int32? { process.withLock { $0?.exitStatus } }

    func kill() { process.withLock { $0 }?.kill() }
    func freeze() { process.withLock { $0 }?.suspend() }
    func thaw() { process.withLock { $0 }?.resume() }
    func terminate() { process.withLock { $0 }?.terminate() }

    /// - Throws: `DeadlineExceeded` with the end of its log.
    @discardableResult
    func waitForExit(seconds: Double) async throws -> Int32 {
        guard let running = process.withLock({ $0 }) else { throw TortureError("node \(id) was not started") }
        return try await running.waitForExit(deadlineSeconds: seconds)
    }
}
