// TLS on the client and API ports, tried with clients that are not ours: openssl, curl, Python's websockets.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct TLSPorts {
        private static func node() async throws -> (node: NodeProcess, certificates: Certificates) {
            let certificates = try await Certificates.make()
            let node = try await NodeProcess.alone(options: certificates.ports, authority: certificates.authority)
            return (node, certificates)
        }

        private static func publish(_ text: String, to user: String, _ node: NodeProcess, _ certificates: Certificates) async throws
            -> Receipt
        {
            try await Curl.json(
                ["--cacert", certificates.authority, "-d", text, "https://127.0.0.1:\(node.api)/v1/users/\(user)/messages"])
        }

        private static func poll(_ query: String, _ node: NodeProcess, _ certificates: Certificates) async throws -> Poll {
            try await Curl.json(["--cacert", certificates.authority, "https://127.0.0.1:\(node.client)/v1/poll?\(query)"])
        }

        @Test func allTransportsWork() async throws {
            let (node, certificates) = try await Self.node()
            let url = "localhost:\(node.client)"
            let socket = try PythonWebSockets(["wss://\(url)/v1/ws?user=tls"], authority: certificates.authority).sockets[0]
            try await socket.wait("a first word") { $0.count > 1 }
            let stream = try ChildProcess(
                "curl", arguments: ["-sSN", "--cacert", certificates.authority, "https://\(url)/v1/sse?user=tls"])
            try await stream.waitForLine(containing: "event: attached", seconds: 20)
            let waiting = try ChildProcess(
                "curl", arguments: ["-sS", "--cacert", certificates.authority, "https://\(url)/v1/poll?user=tls&since=earliest&wait=25"])
            #expect(try await Self.publish("over TLS", to: "tls", node, certificates).outcome == "delivered")
            #expect(try await socket.messages(1).map(\.data) == ["over TLS"])
            try await stream.waitForLine(containing: "over TLS", seconds: 20)
            #expect(try await waiting.waitForExit(deadlineSeconds: 20) == 0)
            #expect(waiting.output.contains("over TLS"))
            // What is said last arrives, and the sockets go.
            node.terminate()
            try await socket.wait("its end") { if case .closed(let reason) = $0.last { reason.hasPrefix("1001") } else { false } }
            #expect(try await stream.waitForExit(deadlineSeconds: 20) == 0, "an event stream ends with TLS's goodbye: \(stream.output)")
            #expect(try await node.waitForExit(seconds: 30) == 0)
        }

        @Test func muchGoesThrough() async throws {
            let (node, certificates) = try await Self.node()
            let text = String(repeating: "0123456789", count: 6_000)
            for _ in 0..<100 { _ = try await Self.publish(text, to: "much", node, certificates) }
            let poll = try await Self.poll("user=much&since=earliest&wait=0", node, certificates)
            #expect(poll.messages.allSatisfy { $0.data == text })
            #expect(!poll.messages.isEmpty)
            // Read slowly, from a socket that takes little: what waits is encrypted when there is room for it, and none of it is lost.
            let slow = try ChildProcess(
                "curl",
                arguments: [
                    "-sSN", "--limit-rate", "1M", "--max-time", "30", "--cacert", certificates.authority, "--output", "/dev/null",
                    "--write-out", "%{size_download}", "https://127.0.0.1:\(node.client)/v1/poll?user=much&since=earliest&wait=0",
                ])
            #expect(try await slow.waitForExit(deadlineSeconds: 60) == 0)
            #expect(try #require(Int(slow.output)) > poll.messages.count * text.utf8.count)
        }

        @Test func oldVersionsAndPlainTextAreRefused() async throws {
            let (node, certificates) = try await Self.node()
            // Debian's openssl offers 1.1 at this security level only.
            let old = try await OpenSSL.shakeHands(port: node.client, ["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"])
            #expect(old.contains("alert protocol version"), "\(old)")
            for version in ["-tls1_2", "-tls1_3"] {
                let answer = try await OpenSSL.shakeHands(port: node.api, [version, "-CAfile", certificates.authority])
                #expect(answer.contains("Verify return code: 0 (ok)"), "\(answer)")
            }
            let before = try await node.metrics()["ringpost_tls_failures_total"]
            #expect(before >= 1)
            for port in [node.client, node.api] {
                let plain = try RawConnection(port: port)
                try await plain.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                let answer = try await plain.receiveToEnd(seconds: 10)
                #expect(!String(decoding: answer, as: UTF8.self).contains("HTTP"))
            }
            #expect(try await node.metrics()["ringpost_tls_failures_total"] == before + 2)
        }

        @Test func handshakesThatDoNotEndAreEnded() async throws {
            let (node, certificates) = try await Self.node()
            defer { withExtendedLifetime(certificates) {} }
            let silent = try RawConnection(port: node.client)
            let half = try RawConnection(port: node.client)
            try await half.send([0x16, 3, 1, 2, 0, 1, 0])
            #expect(try await silent.receiveToEnd(seconds: 20).isEmpty)
            #expect(try await half.receiveToEnd(seconds: 20).isEmpty)
            #expect(try await node.metrics()["ringpost_tls_failures_total"] >= 1)
        }

        @Test func aNewCertificateIsTakenWhileSocketsStay() async throws {
            let (node, certificates) = try await Self.node()
            let socket = try PythonWebSockets(["wss://localhost:\(node.client)/v1/ws?user=stays"], authority: certificates.authority)
                .sockets[0]
            try await socket.wait("a first word") { $0.count > 1 }
            let before = try await OpenSSL.serial(port: node.client)
            try await certificates.renewPorts()
            try await eventually(within: 20, "the new certificate is shown", pollMilliseconds: 200) {
                try await OpenSSL.serial(port: node.client) != before
            }
            let renewed = try await OpenSSL.serial(port: node.api)
            #expect(renewed != before)
            try certificates.breakPorts()
            node.hangUp()
            try await node.waitForLog("the earlier one stays in use", seconds: 20)
            #expect(try await OpenSSL.serial(port: node.client) == renewed)
            #expect(try await node.metrics()["ringpost_alarms_total"] >= 1)
            _ = try await Self.publish("still here", to: "stays", node, certificates)
            #expect(try await socket.messages(1).map(\.data) == ["still here"])
        }
    }
}
