// A node that leaves in order, as an operator sees it: nobody misses anything, and it can be taken back.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Draining {
        /// Slots are handed over by a debug build, on a busy machine.
        private static let drainSecondsMax = 240.0

        private func progress(_ node: NodeProcess, of id: String) async throws -> String? {
            struct Nodes: Decodable {
                struct Node: Decodable {
                    struct Draining: Decodable {
                        let phase: String
                    }
                    let id: String
                    let draining: Draining?
                }
                let nodes: [Node]
            }
            guard let answer = try await node.get("/v1/nodes"), answer.status == 200 else { return nil }
            let nodes: Nodes = try answer.json()
            return nodes.nodes.first { $0.id == id }?.draining?.phase
        }

        /// All at once, as a deploy that replaces everything: links break while event loops end.
        @Test func nodesEndInOrderHoweverOftenTheyAreStarted() async throws {
            let cluster = try await Cluster.start { _ in ["--loops", "4"] }
            for round in 0..<5 {
                if round > 0 {
                    for node in cluster.nodes { try node.launch() }
                    try await cluster.settled()
                }
                for number in 0..<12 { try await cluster.nodes[number % 3].publish("x", to: "ending-\(number)") }
                for node in cluster.nodes { node.terminate() }
                for node in cluster.nodes { #expect(try await node.waitForExit(seconds: Self.drainSecondsMax) == 0, "\(node.log)") }
            }
            for node in cluster.nodes { #expect(!node.log.contains("already shut down"), "\(node.log)") }
        }

        @Test func aDrainedNodeIsNotMissed() async throws {
            let cluster = try await Cluster.start()
            let user = try await cluster.user("settler", ownedBy: "n2")
            let (n1, n3) = (try cluster["n1"], try cluster["n3"])
            let staying = try await n3.webSocket(user)
            let leaving = try await cluster["n2"].webSocket(user)
            try await n1.publish("before", to: user)
            _ = try await staying.message("before")
            let node = try cluster.take("n2")
            let drain = try await RingpostProgram.run(["drain", "n2", "--api", n1.apiURL], seconds: Self.drainSecondsMax)
            #expect(drain.status == 0, "\(drain.output)")
            #expect(drain.output.hasSuffix("n2 has left the ring\n"), "\(drain.output)")
            #expect(try await node.waitForExit(seconds: 30) == 0, "\(node.log)")
            #expect(try await leaving.wait("the goodbye") { !$0.closes.isEmpty }.closes.first?.hasPrefix("1001 resume: going_away") == true)
            try await cluster.settled()
            let after = try await n1.publish("after", to: user)
            #expect(after.seq == 2, "the history has moved with its numbers")
            _ = try await staying.message("after")
            let events = try staying.events()
            #expect(events.messages.map(\.data) == ["before", "after"])
            #expect(events.closes.isEmpty && events.gaps.isEmpty)
            #expect(try await n3.poll("user=\(user)&since=earliest&wait=0").messages.map(\.seq) == [1, 2])
            let again = try await RingpostProgram.run(["drain", "n2", "--api", n1.apiURL])
            #expect(again.status == 1)
            #expect(again.output.contains(#"no member is called "n2"; members: n1, n3"#), "\(again.output)")
        }

        @Test func aWeightTakesItBack() async throws {
            let cluster = try await Cluster.start(weights: [100, 100])
            let node = try cluster.stranger("n3", options: ["--drain-seconds", "3600"])
            cluster.putBack(node)
            try node.launch()
            try await cluster.settled()
            let n1 = try cluster["n1"]
            // On each event loop one goes at once, the others in many minutes.
            let users = (1...8).map { "sitter-\($0)" }
            var sockets: [any Listener] = []
            for user in users { sockets.append(try await node.webSocket(user)) }
            let drain = try await RingpostProgram.run(["drain", "n3", "--no-wait", "--api", n1.apiURL])
            #expect(drain.status == 0, "\(drain.output)")
            try await eventually(within: Self.drainSecondsMax, "the sockets' turn") {
                try await progress(n1, of: "n3") == "movingSockets"
            }
            let weight = try await RingpostProgram.run(["weight", "n3", "100", "--api", n1.apiURL])
            #expect(weight.status == 0, "\(weight.output)")
            #expect(weight.output == "n3 has weight 100\n")
            let ring = try await cluster.settled()
            #expect(try ring.node("n3").slots ?? 0 > 0)
            #expect(try await progress(n1, of: "n3") == nil)
            let staying = try zip(users, sockets).filter { try $0.1.events().closes.isEmpty }
            #expect(staying.count >= 4)
            for (user, socket) in staying {
                try await n1.publish("still here", to: user)
                _ = try await socket.message("still here")
            }
            // What a signal has begun can't be taken back, and a second one hastens it.
            node.terminate()
            try await eventually(within: Self.drainSecondsMax, "the sockets' turn") {
                try await progress(n1, of: "n3") == "movingSockets"
            }
            let refused = try await RingpostProgram.run(["weight", "n3", "100", "--api", n1.apiURL])
            #expect(refused.status == 1)
            #expect(refused.output.contains("stopping (HTTP 409)"), "\(refused.output)")
            node.terminate()
            #expect(try await node.waitForExit(seconds: 60) == 0, "\(node.log)")
        }
    }
}
