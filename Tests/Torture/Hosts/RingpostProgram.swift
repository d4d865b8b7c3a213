// The program under torture, and what this build of it can do.

import Foundation
import TestSupport

struct RingpostProgram: Sendable {
    let path: String
    /// `ringpost drain`
    let drains: Bool
    /// `ringpost weight`
    let changesWeights: Bool
    /// `ringpost node --drain-seconds`
    let hasDrainSeconds: Bool
    /// `ringpost node --advertise-link`
    let advertisesLinks: Bool

    /// - Throws: when it can't be run.
    init(_ path: String) async throws {
        self.path = path
        let commands = try await Self.output(path, ["--help"])
        drains = commands.contains("\n  drain ")
        changesWeights = commands.contains("\n  weight ")
        let options = try await Self.output(path, ["node", "--help"])
        hasDrainSeconds = options.contains("--drain-seconds")
        advertisesLinks = options.contains("--advertise-link")
    }

    private static func output(_ path: String, _ arguments: [String]) async throws -> String {
        let process = try ChildProcess(path, arguments: arguments)
        guard try await process.waitForExit(deadlineSeconds: 30) == 0 else {
            throw TortureError("\(path) \(arguments.joined(separator: " ")) fails: \(process.output)")
        }
        return process.output
    }

    /// Runs a command to its end.
    ///
    /// - Throws: with what it wrote, when it fails.
    @discardableResult
    func run(_ arguments: [String], seconds: Double = 60) async throws -> String {
        let process = try ChildProcess(path, arguments: arguments)
        let status = try await process.waitForExit(deadlineSeconds: seconds)
        guard status == 0 else {
            throw TortureError("ringpost \(arguments.joined(separator: " ")) ended with status \(status): \(process.output)")
        }
        return process.output
    }
}
