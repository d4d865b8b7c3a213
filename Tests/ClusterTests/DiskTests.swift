// Disks that are full or that nobody may write to, nodes whose directory is refused while others go on, and ZooKeeper with an older state than
// the directories have seen.

import Foundation
import RingpostWire
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Disks {
        private let folder: TemporaryFolder

        init() throws { folder = try TemporaryFolder("disks") }

        /// What was acknowledged, by user.
        private struct Acknowledged {
            var ids: [String: Set<String>] = [:]

            mutating func add(_ receipt: Receipt) { ids[receipt.user, default: []].insert(receipt.id) }

            /// What is not there any more, though nobody is told so.
            func missing(on node: NodeProcess) async throws -> [String] {
                var missing: [String] = []
                for (user, ids) in ids {
                    var (left, since, isEnd) = (ids, "earliest", false)
                    // An answer has only so many bytes.
                    while !isEnd {
                        let poll = try await node.poll("user=\(user)&since=\(since)&wait=0")
                        left.subtract(poll.messages.map(\.id))
                        (since, isEnd) = (poll.cursor, poll.messages.isEmpty)
                    }
                    missing += left.map { "\(user): \($0)" }
                }
                return missing
            }
        }

        /// What it has said last.
        private func lastWords(_ node: NodeProcess) -> String { node.log.split(separator: "\n").last.map(String.init) ?? "" }

        private func names(_ directory: String) throws -> Set<String> {
            Set(FileManager.default.enumerator(atPath: directory)?.compactMap { $0 as? String } ?? [])
        }

        // MARK: Full

        /// Publishes until a node has ended.
        private func flood(_ node: NodeProcess, through other: NodeProcess, users: Int) async throws -> Acknowledged {
            var acknowledged = Acknowledged()
            let text = String(repeating: "x", count: 30_000)
            for number in 0..<3_000 where node.exitStatus == nil {
                guard let receipt = try? await other.publish(text, to: "user-\(number % users)") else { continue }
                acknowledged.add(receipt)
            }
            return acknowledged
        }

        private static let full = "its file system has no room"

        @Test(.enabled(if: SmallDisk.isPossible, "small file systems need root and mount namespaces"))
        func aFullDiskEndsTheNodeAndLosesNothing() async throws {
            let disk = try await SmallDisk.mount(megabytes: 24)
            let node = try await NodeProcess.alone(options: ["--data", disk.path + "/data"], disk: disk)
            let acknowledged = try await flood(node, through: node, users: 40)
            #expect(acknowledged.ids.count == 40)
            #expect(try await node.waitForExit(seconds: 60) == 1, "\(node.log)")
            #expect(lastWords(node).contains(Self.full) && lastWords(node).contains("start the node again"), "\(lastWords(node))")
            let before = try names(disk.outsidePath + "/data")
            // Somebody makes room.
            try await disk.remount("size=300m")
            try await node.start()
            #expect(try await acknowledged.missing(on: node) == [])
            #expect(try before.subtracting(names(disk.outsidePath + "/data")).filter { !$0.hasPrefix("db/") } == [])
        }

        @Test(.enabled(if: SmallDisk.isPossible, "small file systems need root and mount namespaces"))
        func aDirectoryThatIsMountedReadOnlyIsRefused() async throws {
            let disk = try await SmallDisk.mount(megabytes: 100)
            let node = try await NodeProcess.alone(options: ["--data", disk.path + "/data"], disk: disk)
            var acknowledged = Acknowledged()
            for number in 0..<10 { acknowledged.add(try await node.publish("\(number)", to: "alice")) }
            node.terminate()
            #expect(try await node.waitForExit(seconds: 60) == 0, "\(node.log)")
            let before = DirectoryDamage.files(in: disk.outsidePath + "/data")
            try await disk.remount("ro")
            try node.launch()
            #expect(try await node.waitForExit(seconds: 60) == 1, "\(node.log)")
            let words = "is not used: its file system is mounted read-only. Mount it for writing, or name another directory."
            #expect(lastWords(node).contains(words), "\(lastWords(node))")
            #expect(DirectoryDamage.files(in: disk.outsidePath + "/data") == before)
            try await disk.remount("rw")
            try await node.start()
            #expect(try await acknowledged.missing(on: node) == [])
        }

        @Test(.timeLimit(.minutes(5)), .enabled(if: SmallDisk.isPossible, "small file systems need root and mount namespaces"))
        func theOthersGoOnWithoutTheNodeWhoseDiskIsFull() async throws {
            let (disk, folder) = (try await SmallDisk.mount(megabytes: 24), folder)
            let cluster = try await Cluster.start(weights: [100]) { ["--data", $0 == "n2" ? disk.path + "/data" : folder.file($0)] }
            let small = try cluster.addNode("n2", disk: disk)
            try await small.start()
            try await cluster.settled()
            let other = try cluster["n1"]
            var acknowledged = try await flood(small, through: other, users: 60)
            #expect(acknowledged.ids.count == 60)
            #expect(try await small.waitForExit(seconds: 60) == 1, "\(small.log)")
            #expect(lastWords(small).contains(Self.full), "\(lastWords(small))")
            for user in acknowledged.ids.keys.sorted() {
                try await eventually(within: 60, "\(user) is served") {
                    guard let receipt = try? await other.publish("on", to: user) else { return false }
                    acknowledged.add(receipt)
                    return true
                }
            }
            #expect(try await acknowledged.missing(on: other) == [])
            try await disk.remount("size=400m")
            try small.launch()
            try await cluster.settled()
            try await cluster.whole()
            #expect(try await acknowledged.missing(on: small) == [])
        }

        // MARK: Directories that count no more

        @Test(.timeLimit(.minutes(5))) func whoComesBackAfterItWasForgottenIsANewStore() async throws {
            let folder = folder
            let cluster = try await Cluster.start(weights: [100, 100]) { ["--data", folder.file($0)] }
            let (node, other) = (try cluster["n1"], try cluster["n2"])
            try await cluster.whole()
            var acknowledged = Acknowledged()
            for number in 0..<20 { acknowledged.add(try await other.publish("\(number)", to: "user-\(number)")) }
            node.kill()
            try await eventually(within: 60, "n1 is forgotten") {
                try await RingpostProgram.run(["forget", "n1", "--api", other.apiURL]).status == 0
            }
            for number in 0..<20 {
                try await eventually(within: 60, "user-\(number) is served") {
                    guard let receipt = try? await other.publish("on", to: "user-\(number)") else { return false }
                    acknowledged.add(receipt)
                    return true
                }
            }
            try node.launch()
            try await cluster.settled()
            #expect(
                node.log.contains("counts no more: an operator has said that this node does not come back (ringpost forget)"), "\(node.log)"
            )
            #expect(try await node.metrics()[#"ringpost_alarm{kind="store_lost"}"#] == 1)
            try await cluster.whole()
            #expect(try await acknowledged.missing(on: node) == [])
        }

        // MARK: ZooKeeper from a backup

        /// A node alone in its ring, which has seen later epochs than the backup from which ZooKeeper is about to start.
        private func aheadOfZooKeeper() async throws -> (cluster: Cluster, node: NodeProcess, before: [Message]) {
            let data = folder.file("data")
            let cluster = try await Cluster.start(weights: [100]) { _ in ["--data", data] }
            let node = try cluster["n1"]
            node.kill()
            await cluster.zookeeper.stop()
            try cluster.zookeeper.backUp()
            try await cluster.zookeeper.start()
            try await node.start()
            // Transactions of somebody else; then a term begins.
            for number in 0..<40 { _ = try await node.post("{\"weight\":\(50 + number)}", toPath: "/v1/nodes/n1/weight") }
            node.kill()
            try await node.start()
            for number in 0..<3 { try await node.publish("before \(number)", to: "alice") }
            let before = try await node.poll("user=alice&since=earliest&wait=0").messages
            try #require(before.count == 3)
            node.kill()
            await cluster.zookeeper.stop()
            try cluster.zookeeper.restore()
            try await cluster.zookeeper.start()
            return (cluster, node, before)
        }

        /// The copies on the disks are of epochs that come only much later: their slots would wait until then.
        @Test(.timeLimit(.minutes(5))) func olderZooKeeperDataIsFoundOutAtTheStart() async throws {
            let (cluster, node, before) = try await aheadOfZooKeeper()
            try await node.start()
            #expect(node.log.contains("counts no more: ZooKeeper holds an older state than this directory has seen"), "\(node.log)")
            #expect(try await node.metrics()[#"ringpost_alarm{kind="store_lost"}"#] == 1)
            try await eventually(within: 60, "alice is served") { (try? await node.publish("after", to: "alice")) != nil }
            let resumed = try await node.poll("user=alice&since=\(before[0].cursor)&wait=0")
            #expect(resumed.gap == true && !resumed.messages.map(\.data).contains("before 1"), "\(resumed)")
            withExtendedLifetime(cluster) {}
        }

        /// What the operating guide says: epochs are put above all that was before anybody starts.
        @Test(.timeLimit(.minutes(5))) func whoRaisesEpochsKeepsWhatTheDirectoriesHold() async throws {
            let (cluster, node, before) = try await aheadOfZooKeeper()
            let command = ["-server", cluster.zookeeper.connectString]
            func run(_ arguments: [String]) async throws -> String {
                let client = try ChildProcess("/usr/share/zookeeper/bin/zkCli.sh", arguments: command + arguments)
                let status = try await client.waitForExit(deadlineSeconds: 60)
                guard status == 0 else { throw HarnessError(client.output) }
                return client.output
            }
            let path = "/ringpost/ringpost/ring"
            let lines = try await run(["get", path]).split(separator: "\n")
            let json = try #require(lines.first { $0.hasPrefix("{") && $0.contains("generation") })
            var document = try #require(try JSONSerialization.jsonObject(with: Data(json.utf8)) as? [String: Any])
            document["epochBase"] = "0000010000000000"
            _ = try await run(["set", path, String(decoding: JSONSerialization.data(withJSONObject: document), as: UTF8.self)])
            try await node.start()
            #expect(!node.log.contains("counts no more"), "\(node.log)")
            let resumed = try await node.poll("user=alice&since=\(before[0].cursor)&wait=0")
            #expect(resumed.gap != true && resumed.messages.map(\.data) == ["before 1", "before 2"], "\(resumed)")
        }
    }
}
