// A glance of cluster/bench: it starts a node, measures it beside the bare system calls, and everything arrives. How fast is not judged
// here, where other tests run beside it.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Benchmarks {
        private static let script = NSString.path(
            withComponents: URL(fileURLWithPath: #filePath).pathComponents.dropLast(3) + ["cluster", "bench"])

        private static func run(
            _ arguments: [String], in folder: TemporaryFolder, program: String = RingpostProgram.path
        ) throws -> ChildProcess {
            var environment = RingpostProgram.environment()
            environment["RINGPOST_BINARY"] = program
            environment["RINGPOST_RUN_DIRECTORY"] = folder.path
            return try ChildProcess("/bin/bash", arguments: [script, "--rounds", "1"] + arguments, environment: environment)
        }

        @Test func aRowIsMeasuredAndNothingIsLost() async throws {
            let folder = try TemporaryFolder("bench")
            let picture = folder.file("bench.svg")
            let bench = try Self.run(
                ["--only", "1", "--servers", "ringpost,limit", "--base-port", "21800", "--picture", picture], in: folder)
            #expect(try await bench.waitForExit(deadlineSeconds: 55) == 0, "\(bench.output)")
            #expect(bench.output.contains("| 1 | unicast by HTTP, 1,000 users |"), "\(bench.output)")
            #expect(!bench.output.contains("not delivered as they should be"), "\(bench.output)")
            #expect(!bench.output.contains("not measured"), "\(bench.output)")
            let data = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: folder.file("bench.json"))))
            let measurements = (data as? [String: Any])?["measurements"] as? [String: Any]
            let unicast = measurements?["unicast"] as? [String: [[String: Any]]]
            let delivered = unicast?["Ringpost"]?.first?["delivered"] as? Int
            #expect((delivered ?? 0) > 100, "\(bench.output)")
            #expect(try String(contentsOf: URL(fileURLWithPath: picture), encoding: .utf8).hasSuffix("</svg>\n"))
        }

        /// What says that a node was measured must be able to say that none was.
        @Test func aNodeThatDoesNotStartIsNotMeasured() async throws {
            let bench = try Self.run(
                ["--only", "1", "--servers", "ringpost", "--base-port", "21850"], in: try TemporaryFolder("bench"), program: "/bin/false")
            #expect(try await bench.waitForExit(deadlineSeconds: 55) == 1, "\(bench.output)")
            #expect(bench.output.contains("/bin/false did not start"), "\(bench.output)")
            #expect(bench.output.contains("| not measured |"), "\(bench.output)")
        }
    }
}
