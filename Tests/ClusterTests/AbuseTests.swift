// A short version of cluster/abuse: nobody gets in, nothing is left over, memory stays below its bound. What it says of latencies is not
// judged here, where other tests run beside it.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Abuse {
        private static let attacks = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Proofs/Abuse").path

        private static func run(_ arguments: [String]) throws -> ChildProcess {
            // The system's Python, because that is the one which Debian's packages are for.
            try ChildProcess(
                "/usr/bin/python3", arguments: ["-B", attacks, "--binary", RingpostProgram.path, "--quick"] + arguments,
                environment: RingpostProgram.environment())
        }

        @Test func nobodyGetsInAndNothingIsLeft() async throws {
            let attackers = try Self.run([])
            let status = try await attackers.waitForExit(deadlineSeconds: 170)
            let output = attackers.output
            #expect(status == 0, "\(output)")
            #expect(output.split(separator: "\n").count { $0.hasPrefix("ok ") } == 19, "\(output)")
        }

        /// What says that nobody got in must be able to say that somebody did: with limits that are none.
        @Test func whoGetsInIsCounted() async throws {
            let attackers = try Self.run(["--filter", "beyond its", "--limit", "sockets-per-user=1000"])
            #expect(try await attackers.waitForExit(deadlineSeconds: 120) == 1)
            #expect(attackers.output.contains("FAIL  sockets of one user beyond its limit"), "\(attackers.output)")
            #expect(attackers.output.contains("200 got in"), "\(attackers.output)")
        }
    }
}
