// The program under test: the binary that was built together with the tests, unless RINGPOST_BINARY names another one.

import Foundation
import TestSupport

enum RingpostProgram {
    static let path = ProcessInfo.processInfo.environment["RINGPOST_BINARY"] ?? built("ringpost")

    /// A program that was built together with the tests: beside the test bundle, so that another build folder is found as well.
    static func built(_ name: String) -> String {
        let package = URL(fileURLWithPath: #filePath).pathComponents.dropLast(4)
        let fallback = NSString.path(withComponents: package + [".build", "debug", name])
        let beside = ["/proc/self/exe", CommandLine.arguments.first ?? ""].map {
            URL(fileURLWithPath: $0).resolvingSymlinksInPath().deletingLastPathComponent().appendingPathComponent(name).path
        }
        return beside.first { FileManager.default.isExecutableFile(atPath: $0) } ?? fallback
    }

    /// This process's environment without settings of nodes and commands, and with these variables.
    static func environment(_ variables: [String: String] = [:]) -> [String: String] {
        // What marks the processes of a test run has to stay: it is how leftovers are found.
        let own = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("RINGPOST_") || $0.key == "RINGPOST_TEST_RUN" }
        // NIO ends a process that schedules something on an event loop that has ended, and does not only say so.
        return own.merging(["SWIFTNIO_STRICT": "1"]) { $1 }.merging(variables) { $1 }
    }

    /// - Parameter disk: the process sees it in its place.
    static func start(
        _ arguments: [String], environment: [String: String] = [:], outputFile: String? = nil, disk: SmallDisk? = nil
    ) throws -> ChildProcess {
        let command = (disk?.entering ?? []) + [path] + arguments
        return try ChildProcess(
            command[0], arguments: Array(command.dropFirst()), environment: self.environment(environment), outputFile: outputFile)
    }

    /// Runs a command to its end.
    static func run(_ arguments: [String], environment: [String: String] = [:], seconds: Double = 60) async throws -> Ended {
        let process = try start(arguments, environment: environment)
        let status = try await process.waitForExit(deadlineSeconds: seconds)
        return Ended(status: status, output: process.output)
    }

    struct Ended {
        let status: Int32
        /// Standard output and standard error.
        let output: String
    }
}
