// Real nodes that prove to each other who they are: by a shared secret, and by certificates.

import Foundation
import NIOCore
import RingpostWire
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct TrustedLinks {
        /// The first user's message through every node.
        private static func reachesEverybody(_ cluster: Cluster, _ prefix: String) async throws {
            let users = try await cluster.users(prefix, ownedBy: cluster.nodes.map(\.id))
            for node in cluster.nodes {
                for (owner, names) in users { #expect(try await node.publish("x", to: names[0]).owner == owner) }
            }
        }

        /// It is in ZooKeeper, but takes no weight, because it reaches nobody.
        private static func staysOutside(_ id: String, _ cluster: Cluster) async throws {
            let ring = try #require(try await cluster.nodes[0].ring())
            #expect(ring.nodes.first { $0.id == id }?.weight ?? 0 == 0)
            #expect(ring.nodes.filter { $0.slots ?? 0 > 0 }.map(\.id).sorted() == cluster.nodes.map(\.id))
        }

        /// Shakes hands as a client without a certificate, and waits.
        private static let mute = """
            import socket, ssl, sys, time
            context = ssl._create_unverified_context()
            with context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[1])))):
                time.sleep(60)
            """

        /// Gone within a second or little more, without a welcome, and counted.
        private static func isDropped(_ node: NodeProcess, _ bytes: [[UInt8]]) async throws {
            let before = try await node.metrics()["ringpost_bad_links_total"]
            let began = ContinuousClock.now
            for bytes in bytes {
                let connection = try RawConnection(port: node.link)
                try await connection.send(bytes)
                _ = try await connection.receiveToEnd(seconds: 20)
            }
            #expect(ContinuousClock.now - began < .milliseconds(1_500 * bytes.count))
            try await eventually(within: 10, "each is counted") {
                try await node.metrics()["ringpost_bad_links_total"] >= before + Double(bytes.count)
            }
        }

        private static func hello(to node: NodeReport, of ring: RingReport, from: String) throws -> [UInt8] {
            var buffer = ByteBuffer()
            let generation = try #require(UInt64(ring.generation, radix: 16))
            let boot = try #require(UInt64(node.boot ?? "", radix: 16))
            LinkEncoder.write(
                .hello(
                    LinkHello(
                        role: .node, cluster: "ringpost", generation: generation, from: from, boot: 1, to: node.id, toBoot: boot, dial: 1)),
                into: &buffer)
            return Array(buffer.readableBytesView)
        }

        @Test func aSharedSecret() async throws {
            let folder = try TemporaryFolder("secret")
            let secret = try folder.write(String(repeating: "s", count: 64) + "\n", to: "right")
            let wrong = try folder.write(String(repeating: "t", count: 64) + "\n", to: "wrong")
            let cluster = try await Cluster.start { _ in ["--link-secret-file", secret] }
            try await Self.reachesEverybody(cluster, "secret")
            let stranger = try cluster.stranger("n4", options: ["--link-secret-file", wrong])
            try stranger.launch()
            try await stranger.waitForLog("does not know this node's link secret", seconds: 60)
            let open = try NodeProcess("n5", zookeeper: cluster.zookeeper.connectString, options: ["--session-timeout", "4000"])
            try open.launch()
            try await open.waitForLog("and this node has none", seconds: 60)
            let ring = try #require(try await cluster.nodes[0].ring())
            let hello = try Self.hello(to: ring.node("n1"), of: ring, from: "n9")
            try await Self.isDropped(try cluster["n1"], [hello, Array(hello.prefix(10)), [1, 0, 0, 0, 0xEE]])
            for id in ["n4", "n5"] { try await Self.staysOutside(id, cluster) }
            stranger.kill()
            open.kill()
            // Replaced in three steps, without a link that breaks.
            let links = try await cluster["n1"].metrics()["ringpost_link_reconnects_total"]
            let other = String(repeating: "u", count: 64)
            try folder.write("\(String(repeating: "s", count: 64))\n\(other)\n", to: "right")
            for node in cluster.nodes { node.hangUp() }
            try folder.write("\(other)\n\(String(repeating: "s", count: 64))\n", to: "right")
            for node in cluster.nodes { node.hangUp() }
            let late = try cluster.addNode("n6")
            try late.launch()
            try await cluster.settled()
            #expect(try await cluster["n1"].metrics()["ringpost_link_reconnects_total"] == links)
            try await Self.reachesEverybody(cluster, "replaced")
        }

        @Test func certificatesOfBothSides() async throws {
            let certificates = try await Certificates.make(nodes: ["n1", "n2", "n3", "n7"])
            let cluster = try await Cluster.start(authority: certificates.authority) { certificates.ports + certificates.links($0) }
            let ca = certificates.authority
            let client = try cluster["n3"].client
            let socket = try PythonWebSockets(["wss://localhost:\(client)/v1/ws?user=far"], authority: ca).sockets[0]
            try await socket.wait("a first word") { $0.count > 1 }
            for node in cluster.nodes {
                let receipt: Receipt = try await Curl.json(
                    ["--cacert", ca, "-d", node.id, "https://127.0.0.1:\(node.api)/v1/users/far/messages"])
                #expect(receipt.mirrored)
            }
            #expect(try await socket.messages(3).map(\.data) == ["n1", "n2", "n3"])

            // A certificate for another name, and one of an authority that nobody knows.
            let misnamed = try cluster.stranger("n4", options: certificates.links("n7"))
            try misnamed.launch()
            try await cluster["n1"].waitForLog(#"the certificate belongs to "n7""#, seconds: 60)
            try await misnamed.waitForLog("the certificate belongs to", seconds: 60)
            let foreign = try await Certificates.make(nodes: ["n5"])
            let unknown = try cluster.stranger("n5", options: foreign.links("n5"))
            try unknown.launch()
            try await unknown.waitForLog("TLS with it fails", seconds: 60)
            for id in ["n4", "n5"] { try await Self.staysOutside(id, cluster) }

            // Plain text, silence, a client without a certificate that says nothing, and one that says hello.
            let node = try cluster["n1"]
            let ring = try #require(try await node.ring())
            let hello = try Self.hello(to: ring.node("n1"), of: ring, from: "n9")
            try await Self.isDropped(node, [hello, [], [0x16, 3, 1, 2, 0, 1]])
            let before = try await node.metrics()["ringpost_bad_links_total"]
            let mute = try ChildProcess("/usr/bin/python3", arguments: ["-c", Self.mute, "\(node.link)"])
            try await eventually(within: 10, "one that says nothing over TLS is counted") {
                try await node.metrics()["ringpost_bad_links_total"] > before
            }
            mute.kill()
        }
    }
}
