// RFC 6455 and RFC 9112 against a node, by the peer that cluster/conformance drives one with: Python's wsproto.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Conformance {
        private static let cases = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Proofs/Conformance").path

        @Test func everyClauseHolds() async throws {
            let node = try await NodeProcess.alone()
            let peer = try Self.peer(of: node)
            let status = try await peer.waitForExit(deadlineSeconds: 60)
            let output = peer.output
            // A line a case: the wrong ones are what there is to know.
            let failures = output.split(separator: "\n").filter { !$0.hasPrefix("ok ") }.prefix(40).joined(separator: "\n")
            #expect(status == 0, "\(failures)")
            #expect(output.split(separator: "\n").count { $0.hasPrefix("ok ") } > 2_000, "\(failures)")
        }

        /// What says whether clauses hold must be able to say that they don't: at a port where nothing is.
        @Test func whatDoesNotHoldIsSaid() async throws {
            let ports = try FreePorts.take(2)
            let peer = try Self.peer(client: ports[0], api: ports[1], filter: "5.5.1 an empty close")
            #expect(try await peer.waitForExit(deadlineSeconds: 30) == 1)
            #expect(peer.output.contains("FAIL  5.5.1 an empty close"), "\(peer.output)")
            #expect(peer.output.contains("0 passed, 3 failed"), "\(peer.output)")
        }

        private static func peer(of node: NodeProcess) throws -> ChildProcess { try peer(client: node.client, api: node.api) }

        private static func peer(client: Int, api: Int, filter: String = "") throws -> ChildProcess {
            // The system's Python, because that is the one which Debian's packages are for.
            try ChildProcess(
                "/usr/bin/python3",
                arguments: ["-B", cases, "--client", "127.0.0.1:\(client)", "--api", "127.0.0.1:\(api)", "--filter", filter],
                environment: RingpostProgram.environment())
        }
    }
}
