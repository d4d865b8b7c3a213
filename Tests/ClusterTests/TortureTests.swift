// A short torture: a few faults from a fixed seed, by the program that cluster/torture runs. The long one is for people.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Torture {
        /// The nodes are built without optimization here, and the machine may be busy.
        private static let sessionMilliseconds = 4_000
        @Test func whatCanHappenToNodesHurtsNobody() async throws {
            try await Self.torture(faults: "kill,restart,freeze", seed: 3)
        }

        @Test func whatCanHappenBetweenNodesHurtsNobody() async throws {
            try await Self.torture(faults: "cut-from-all,zookeeper", seed: 4)
        }

        /// One round of these faults, in the seed's order.
        private static func torture(faults: String, seed: Int) async throws {
            let folder = try TemporaryFolder("torture")
            let torture = try ChildProcess(
                RingpostProgram.built("torture"),
                arguments: [
                    "--rounds", "1", "--seed", "\(seed)", "--faults", faults, "--session-timeout", "\(sessionMilliseconds)",
                    "--users", "24", "--rate", "60", "--program", RingpostProgram.path, "--logs", folder.path,
                ], environment: RingpostProgram.environment())
            let status = try await torture.waitForExit(deadlineSeconds: 160)
            #expect(status == 0, "\(torture.output)\n\(Self.logs(folder))")
            for fault in ["times", "seed \(seed)"] { #expect(torture.output.contains(fault), "\(torture.output)") }
        }

        private static func logs(_ folder: TemporaryFolder) -> String {
            ["n1", "n2", "n3", "n4"].map { node in
                let log = String(decoding: FileManager.default.contents(atPath: folder.file("\(node).log")) ?? Data(), as: UTF8.self)
                return "--- \(node)\n" + log.split(separator: "\n").suffix(Logs.linesMax).joined(separator: "\n")
            }.joined(separator: "\n")
        }
    }
}
