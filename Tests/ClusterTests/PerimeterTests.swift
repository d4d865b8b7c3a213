// Nodes that others reach, as real processes: each port is protected for each role that it serves, or that role is refused; proxies are
// believed that are named; nobody takes all connections.

import Foundation
import RingpostClient
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Perimeter {
        /// What a producer comes to that brings this key to the link port.
        private static func send(_ key: String?, to node: NodeProcess, linkTLS: Bool? = nil, authority: String? = nil) async throws
            -> String
        {
            var options = Producer.Options()
            options.apiKey = key
            options.budgetMilliseconds = 3_000
            if let authority { options.trust = try TrustRoots(systemAnd: authority) }
            let producer = Producer(links: [Endpoint(host: "localhost", port: node.link, isTLS: authority != nil)], options: options)
            var word = "sent"
            do throws(ProducerError) { _ = try await producer.send(.text("x"), to: .user("alice")) } catch { word = "\(error)" }
            await producer.close()
            return word
        }

        /// A node whose link port others reach.
        private static func linked(_ options: [String], authority: String? = nil) async throws -> NodeProcess {
            // Of an option that is given twice the last one counts.
            let port = try FreePorts.take(1)[0]
            return try await NodeProcess.alone(link: port, options: options + ["--link", "0.0.0.0:\(port)"], authority: authority)
        }

        // MARK: Producers

        @Test func producersNeedAKeyWhereTheLinksHaveASecret() async throws {
            let folder = try TemporaryFolder("perimeter")
            let secret = ["--link-secret-file", try folder.write(String(repeating: "s", count: 64), to: "secret")]
            let node = try await Self.linked(secret)
            for key in [nil, "rp_aaaaaaaaaaaa_any"] {
                let word = try await Self.send(key, to: node)
                #expect(word.contains("this link port takes no producers") && word.contains("--api-keys"), "\(word)")
            }
            #expect(node.log.contains("no producers") && node.log.contains("--api-keys"), "\(node.log)")
            #expect(try await node.ask("/v1/poll?user=alice&wait=0&since=earliest").text.contains(#""seq""#) == false)

            let ring = try KeyRing([#""scopes":["publish-users","read"]"#])
            defer { withExtendedLifetime(ring) {} }
            let keyed = try await Self.linked(secret + ring.options)
            #expect(try await Self.send(KeyRing.text("a"), to: keyed) == "sent")
            #expect(try await Self.send(nil, to: keyed).contains("need an API key"))
            let off = try await NodeProcess.alone(options: ring.options + ["--link-producers", "off"])
            #expect(try await Self.send(KeyRing.text("a"), to: off).contains("--link-producers off"))
        }

        @Test func producersNeedAKeyWhereTheLinksHaveCertificates() async throws {
            let certificates = try await Certificates.make(nodes: ["n1"])
            let node = try await Self.linked(certificates.links("n1"))
            let word = try await Self.send(nil, to: node, authority: certificates.authority)
            #expect(word.contains("this link port takes no producers"), "TLS without a certificate of the client: \(word)")
            let ring = try KeyRing([#""scopes":["publish-users"]"#])
            defer { withExtendedLifetime(ring) {} }
            let keyed = try await Self.linked(certificates.links("n1") + ring.options)
            #expect(try await Self.send(KeyRing.text("a"), to: keyed, authority: certificates.authority) == "sent")
        }

        // MARK: ZooKeeper

        @Test func anOpenZooKeeperIsAnAlarmThatStays() async throws {
            let zookeeper = try await ZooKeeperServer.start()
            defer { zookeeper.kill() }
            let folder = try TemporaryFolder("perimeter")
            let port = try FreePorts.take(1)[0]
            let options = [
                "--link-secret-file", try folder.write(String(repeating: "s", count: 64), to: "secret"), "--link", "0.0.0.0:\(port)",
                "--advertise", "127.0.0.1",
            ]
            let refused = try NodeProcess("n1", zookeeper: zookeeper.connectString, options: options)
            try refused.launch()
            #expect(try await refused.waitForExit(seconds: 60) == 1)
            for word in ["asks nobody for a password", "--zookeeper-auth-file", "--zookeeper-open"] {
                #expect(refused.log.contains(word), "\(refused.log)")
            }
            let open = try NodeProcess("n1", zookeeper: zookeeper.connectString, options: options + ["--zookeeper-open"])
            try await open.start()
            let metrics = try await open.metrics()
            #expect(metrics["ringpost_zookeeper_open"] == 1 && metrics["ringpost_alarms_total"] >= 1)
            #expect(open.log.contains("ZooKeeper asks nobody for a password"))
            open.terminate()
            _ = try await open.waitForExit(seconds: 30)
            let file = try folder.write("ringpost:word\n", to: "zookeeper")
            chmod(file, 0o644)
            let closed = try NodeProcess("n2", zookeeper: zookeeper.connectString, options: options + ["--zookeeper-auth-file", file])
            try await closed.start()
            #expect(try await closed.metrics()["ringpost_zookeeper_open"] == 0)
            #expect(closed.log.contains("may read ZooKeeper's password"))
        }

        // MARK: Proxies

        @Test func aNamedProxyIsBelievedAndNobodyElse() async throws {
            let node = try await NodeProcess.alone(options: [
                "--trusted-proxy", "127.0.0.1", "--limit", "sockets-per-address=1", "--limit", "connections-per-address=3",
            ])
            func stream(_ beginning: String, _ headers: [String: String] = [:]) async throws -> (RawConnection, HTTPAnswer) {
                let connection = try RawConnection(port: node.client)
                try await connection.send(beginning)
                try await connection.send(RawConnection.request("GET", "/v1/sse?user=a", headers: headers))
                return (connection, try await connection.answer())
            }
            let line = "PROXY TCP4 203.0.113.7 127.0.0.1 4711 80\r\n"
            let held = [try await stream(line), try await stream("", ["Forwarded": "for=203.0.113.8"])]
            #expect(held.allSatisfy { $0.1.isEndless })
            for (beginning, headers) in [
                (line, [:]), (line, ["X-Forwarded-For": "203.0.113.99"]), ("", ["X-Forwarded-For": "203.0.113.7"]),
                ("", ["Forwarded": "for=198.51.100.1, for=\"203.0.113.8:80\""]),
            ] {
                #expect(try await stream(beginning, headers).1.putOffCode == "too_many_sockets", "\(beginning) \(headers)")
            }
            // Three of one address, and two are there.
            var idle: [RawConnection] = []
            for _ in 0..<4 {
                let connection = try RawConnection(port: node.client)
                try await connection.send("PROXY TCP4 203.0.113.20 127.0.0.1 4711 80\r\n")
                idle.append(connection)
            }
            try await eventually(within: 20, "one too many is closed") {
                for connection in idle { connection.readAvailable() }
                return idle.count { $0.hasEnded } == 1
            }
            #expect(try await node.limited("connections-per-address") == 1)

            let doubting = try await NodeProcess.alone()
            let answer = try RawConnection(port: doubting.client)
            try await answer.send(line)
            #expect(try await answer.answer().status == 400)
            #expect(doubting.log.contains("descriptors"), "which limit it is")
            withExtendedLifetime(held) {}
        }
    }
}
