// Nodes with a data directory: which directories they take, whose they are after that, and what is still there when nodes come back.

import Foundation
import Glibc
import RingpostWire
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct DataDirectory {
        private let folder: TemporaryFolder
        private var path: String { folder.file("data") }

        init() throws { folder = try TemporaryFolder("data-directory") }

        /// Ports that nobody else has, for a node that ends by itself.
        private func run(_ options: [String]) async throws -> RingpostProgram.Ended {
            let ports = ["--client", "127.0.0.1:0", "--api", "127.0.0.1:0", "--link", "127.0.0.1:0"]
            return try await RingpostProgram.run(["node"] + ports + options)
        }

        private func copy(_ from: String, _ to: String) throws { try FileManager.default.copyItem(atPath: from, toPath: to) }

        // MARK: Refusals

        @Test func aDirectoryOfOthersIsRefused() async throws {
            let node = try await NodeProcess.alone(options: ["--data", path])
            let second = try await run(["--data", path])
            #expect(second.status == 1 && second.output.contains("the process \(node.pid ?? 0) uses it"), "\(second.output)")
            node.terminate()
            #expect(try await node.waitForExit(seconds: 60) == 0, "\(node.log)")
            for (options, sentence) in [
                (["--id", "n2"], "it belongs to the node n1, and this is n2"), (["--cluster", "other"], "it belongs to the cluster"),
            ] {
                let ended = try await run(["--data", path] + options)
                #expect(ended.status == 1, "\(options): \(ended.output)")
                #expect(ended.output.contains(sentence) && ended.output.contains(path), "\(options): \(ended.output)")
                #expect(ended.output.contains("Nothing in it was deleted") && ended.output.contains("(--data)"), "\(ended.output)")
            }
            // It is still this node's.
            try await node.start()
        }

        @Test func aDirectoryThatCantBeWrittenIsRefused() async throws {
            try folder.write("x", to: "file")
            let under = try await run(["--data", folder.file("file") + "/data"])
            #expect(under.status == 1 && under.output.contains("it is no directory"), "\(under.output)")
            let missing = try await run(["--data", folder.file("nowhere") + "/data"])
            #expect(missing.status == 1 && missing.output.contains("of which the one above exists"), "\(missing.output)")
            // Root may write anywhere, but not there.
            let closed = getuid() == 0 ? "/proc/self" : folder.file("closed")
            if getuid() != 0 { #expect(mkdir(closed, 0o500) == 0) }
            let ended = try await run(["--data", closed])
            #expect(ended.status == 1 && ended.output.contains("The data directory \(closed) is not used"), "\(ended.output)")
        }

        @Test func aRingThatZooKeeperHasLostIsNotFoundedAnew() async throws {
            let data = path
            let cluster = try await Cluster.start(weights: [100]) { $0 == "n1" ? ["--data", data] : [] }
            let node = try cluster["n1"]
            let generation = try #require(try await node.ring()).generation
            node.kill()
            await cluster.zookeeper.stop()
            try cluster.zookeeper.loseData()
            try await cluster.zookeeper.start()
            try node.launch()
            #expect(try await node.waitForExit(seconds: 60) == 1)
            #expect(node.log.contains("belongs to one of generation \(generation)"), "\(node.log)")
            #expect(!node.log.contains("counts no more"), "nothing is given up because of a ZooKeeper that knows nothing: \(node.log)")
            // Somebody else founds one.
            let other = try cluster.addNode("n2")
            try await other.start()
            try node.launch()
            #expect(try await node.waitForExit(seconds: 60) == 1)
            #expect(node.log.contains("it belongs to generation \(generation) of the cluster"), "\(node.log)")
        }

        // MARK: Whose it is

        @Test func aNodeAloneIsTheSameClusterAfterARestart() async throws {
            let node = try await NodeProcess.alone(options: ["--data", path])
            let before = try #require(try await node.ring())
            let metrics = try await node.metrics()
            #expect(metrics["ringpost_store_failed"] == 0 && metrics.samples["ringpost_store_queue_bytes"] != nil)
            node.kill()
            try await node.start()
            let after = try #require(try await node.ring())
            #expect(after.generation == before.generation && after.epoch >= before.epoch)
            #expect(node.log.components(separatedBy: "data directory").count == 3, "each life says what it has opened: \(node.log)")
            #expect(try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int == 0o700)
            #expect(try FileManager.default.attributesOfItem(atPath: path + "/identity")[.posixPermissions] as? Int == 0o600)
        }

        @Test func aNodeAloneKeepsRevocationsBesideItsMessages() async throws {
            let issuer = try Issuer()
            let node = try await NodeProcess.alone(options: issuer.options + ["--data", path])
            let token = try issuer.token("alice")
            #expect(try await node.ask("/v1/poll?wait=0", token: token).status == 200)
            let revoked = try await RingpostProgram.run(["revoke", "alice", "--api", node.apiURL])
            #expect(revoked.status == 0 && !revoked.output.contains("forgets them"), "\(revoked.output)")
            node.kill()
            try await node.start()
            #expect(try await node.ask("/v1/poll?wait=0", token: token).status == 401)
        }

        /// The roster knows which process was registered last, and an old copy of the directory doesn't.
        @Test func anOldCopyGoesOnAsANewStore() async throws {
            let (data, old) = (path, folder.file("old"))
            let cluster = try await Cluster.start(weights: [100]) { _ in ["--data", data] }
            let node = try cluster["n1"]
            node.kill()
            try await node.start()
            try await cluster.settled()
            #expect(!node.log.contains("counts no more"), "it has its own directory: \(node.log)")
            try copy(data, folder.file("aside"))
            let refused = try cluster.stranger("n1", options: ["--data", folder.file("aside")])
            try refused.launch()
            #expect(try await refused.waitForExit(seconds: 60) == 1)
            #expect(refused.log.contains("it is a copy that was made while the node ran"), "\(refused.log)")
            // It is the last one, and has something: so its entry stays when it leaves.
            try await node.publish("something", to: "alice")
            node.terminate()
            #expect(try await node.waitForExit(seconds: 60) == 0, "\(node.log)")
            try copy(data, old)
            try await node.start()
            try await cluster.settled()
            #expect(!node.log.contains("counts no more") && !node.log.contains("a new lineage"), "\(node.log)")
            node.kill()
            let copied = try cluster.stranger("n1", options: ["--data", old])
            try copied.launch()
            try await copied.waitForLog("it is an old copy", seconds: 60)
            try await copied.waitForLog("joined /ringpost/ringpost as n1", seconds: 90)
            copied.kill()
            // Now it is the original of which the others know nothing.
            try node.launch()
            try await node.waitForLog("another store has been registered as this node", seconds: 60)
        }

        // MARK: What is still there

        private struct Seen: Equatable {
            let sequence: Int
            let cursor: String
            let id: String
            let text: String
        }

        private func seen(_ user: String, on node: NodeProcess) async throws -> [Seen] {
            let poll = try await node.poll("user=\(user)&since=earliest&wait=0")
            #expect(poll.gap != true, "\(user)")
            return poll.messages.map { Seen(sequence: $0.seq, cursor: $0.cursor, id: $0.id, text: $0.data) }
        }

        @Test(arguments: ["fsync", "written"]) func aNodeAloneComesBackWithItsMessages(durability: String) async throws {
            let node = try await NodeProcess.alone(options: ["--data", path, "--durability", durability])
            let first = try await node.publish("0", to: "alice", headers: ["Idempotency-Key": "once"])
            for number in 1..<20 { try await node.publish("\(number)", to: "alice") }
            let before = try await seen("alice", on: node)
            #expect(before.map(\.text) == (0..<20).map { "\($0)" })
            node.kill()
            try await node.start()
            #expect(try await seen("alice", on: node) == before)
            let repeated = try await node.publish("0", to: "alice", headers: ["Idempotency-Key": "once"])
            #expect(repeated.repeated == true && repeated.seq == first.seq && repeated.id == first.id)
            // A client that resumes misses nothing, and what comes now continues.
            #expect(try await node.publish("20", to: "alice").seq == 21)
            let resumed = try await node.poll("user=alice&since=\(before[18].cursor)&wait=0")
            #expect(resumed.gap != true && resumed.messages.map(\.data) == ["19", "20"])
            node.terminate()
            #expect(try await node.waitForExit(seconds: 60) == 0)
            #expect(node.log.contains("stays in the data directory"))
            try await node.start()
            #expect(try await seen("alice", on: node).count == 21)
        }

        @Test(.timeLimit(.minutes(5))) func aClusterComesBackAfterAPowerCut() async throws {
            let folder = folder
            let cluster = try await Cluster.start { ["--data", folder.file($0)] }
            let users = (0..<30).map { "resident-\($0)" }
            for (index, user) in users.enumerated() {
                try await cluster.nodes[index % 3].publish((1...5).map { "\($0)" }, to: user)
            }
            var before: [String: [Seen]] = [:]
            for user in users { before[user] = try await seen(user, on: cluster.nodes[0]) }
            let once = try await cluster.nodes[1].publish("6", to: users[0], headers: ["Idempotency-Key": "once"])
            for node in cluster.nodes { node.kill() }
            cluster.zookeeper.kill()
            try await cluster.zookeeper.start()
            for node in cluster.nodes { try node.launch() }
            try await cluster.settled()
            let again = try await cluster.nodes[2].publish("6", to: users[0], headers: ["Idempotency-Key": "once"])
            #expect(again.repeated == true && again.seq == once.seq)
            for user in users {
                let after = try await seen(user, on: cluster.nodes[1])
                #expect(Array(after.prefix(5)) == before[user], "\(user)")
            }
        }
    }
}
