// A cluster whose znodes are its own, with real processes: nodes that have the file join, others end with a sentence.

import TestSupport
import Testing

extension ClusterTests {
    @Suite struct ZooKeeperAccess {
        @Test func onlyNodesWithTheClustersCredentialsJoin() async throws {
            let folder = try TemporaryFolder("zookeeper-auth")
            let file = try folder.write("ringpost:the-right-one\n", to: "auth")
            let cluster = try await Cluster.start(weights: [100, 100]) { _ in ["--zookeeper-auth-file", file] }
            let wrong = try folder.write("ringpost:another-one\n", to: "wrong")
            // Of an option that is given twice, the last counts; a stranger without any is a node of its own.
            let without = try NodeProcess(
                "n3", zookeeper: cluster.zookeeper.connectString,
                options: ["--session-timeout", "\(cluster.sessionTimeoutMilliseconds)"])
            let other = try cluster.stranger("n3", options: ["--zookeeper-auth-file", wrong])
            for (stranger, words) in [(without, "this node has no credentials"), (other, "those of the user \"ringpost\"")] {
                try stranger.launch()
                #expect(try await stranger.waitForExit(seconds: 60) != 0)
                #expect(stranger.log.contains(words) && stranger.log.contains("--zookeeper-auth-file"), "\(stranger.log)")
                #expect(!stranger.log.contains("another-one"))
            }
            try await cluster.settled()
            let third = try cluster.addNode("n3")
            try await third.start()
            try await cluster.settled()
            for node in cluster.nodes { #expect(!node.log.contains("the-right-one")) }
        }
    }
}
