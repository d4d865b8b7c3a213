// The program under torture.

import Foundation
import TestSupport

struct RingpostProgram: Sendable {
    let path: String
    let apiKey: String

    /// Runs a command to its end.
    ///
    /// - Throws: with what it wrote, when it fails.
    @discardableResult
    func run(_ arguments: [String], seconds: Double = 60) async throws -> String {
        var environment = ProcessInfo.processInfo.environment
        environment["RINGPOST_API_KEY"] = apiKey
        let process = try ChildProcess(path, arguments: arguments, environment: environment)
        let status = try await process.waitForExit(deadlineSeconds: seconds)
        guard status == 0 else {
            throw TortureError("ringpost \(arguments.joined(separator: " ")) ended with status \(status): \(process.output)")
        }
        return process.output
    }
}
