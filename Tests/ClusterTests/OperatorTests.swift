// What operators and their machines ask: any node answers for the whole cluster, and waits for nobody.

import Foundation
import RingpostWire
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Operators {
        @Test func everyNodeShowsTheSameRing() async throws {
            let cluster = try await Shared.cluster()
            let ring = try await cluster.settled()
            #expect(ring.cluster == "ringpost")
            #expect(ring.slots == 65_536)
            #expect(ring.epochAgeMilliseconds < cluster.sessionTimeoutMilliseconds)
            #expect(ring.nodes.map(\.id) == ["n1", "n2", "n3"])
            #expect(ring.nodes.compactMap(\.slots).reduce(0, +) == 65_536)
            for node in ring.nodes {
                let slots = try #require(node.slots)
                #expect(abs(Double(slots) * 3 / 65_536 - 1) < 0.05, "\(node.id) has \(slots) slots")
            }
            for node in cluster.nodes {
                let other = try #require(try await node.ring())
                #expect(other.digest == ring.digest)
                #expect(other.generation == ring.generation)
                #expect(other.answeredBy == node.id)
                #expect(other.nodes.map(\.slots) == ring.nodes.map(\.slots))
                let own = try ring.node(node.id)
                #expect(own.client == "127.0.0.1:\(node.client)")
                #expect(own.api == "127.0.0.1:\(node.api)")
                #expect(own.link == "127.0.0.1:\(node.link)")
            }
        }

        @Test func healthReadinessAndNodes() async throws {
            struct Nodes: Decodable {
                let nodes: [NodeReport]
            }
            let cluster = try await Shared.cluster()
            for node in cluster.nodes {
                #expect(try await node.get("/healthz")?.status == 200)
                #expect(try await node.get("/readyz")?.status == 200)
                let nodes: Nodes = try #require(try await node.get("/v1/nodes")).json()
                #expect(nodes.nodes.map(\.id) == ["n1", "n2", "n3"])
                #expect(nodes.nodes.allSatisfy { $0.answered && $0.lease == "leased" })
                let head = try await RawConnection.exchange(port: node.api, "HEAD", "/healthz")
                #expect(head.status == 200)
            }
        }

        @Test func metricsAreWellFormedAndMove() async throws {
            let cluster = try await Shared.cluster()
            let user = try await cluster.user("measured", ownedBy: "n2")
            let before = try await cluster["n1"].metrics()
            let socket = try await cluster["n1"].webSocket(user)
            try await cluster["n1"].publish("x", to: user)
            _ = try await socket.messages(1)
            let after = try await cluster["n1"].metrics()
            for sample in [
                #"ringpost_sockets{transport="ws"}"#, #"ringpost_sockets_opened_total{transport="ws"}"#,
                #"ringpost_messages_total{outcome="delivered"}"#, #"ringpost_messages_written_total{transport="ws"}"#,
                "ringpost_forwards_total", "ringpost_publish_to_write_seconds_count",
            ] {
                #expect(after[sample] == before[sample] + 1, "\(sample)")
            }
            let ring = try await cluster.settled()
            #expect(after["ringpost_ring_epoch"] == Double(ring.epoch))
            #expect(after["ringpost_ring_members"] == 3)
            #expect(after["ringpost_may_act"] == 1)
            #expect(after["ringpost_handler_errors_total"] == 0)
            #expect(after[#"ringpost_links{state="up"}"#] == 4, "two loops, each linked with two members")
            try await eventually(within: 20, "heartbeats have their round trip measured") {
                try await cluster["n1"].metrics()["ringpost_link_round_trip_seconds_count"] > 0
            }
            for node in cluster.nodes { _ = try await node.metrics() }
        }

        @Test func aUserIsShownWithItsSocketsOnAllNodes() async throws {
            let cluster = try await Shared.cluster()
            let user = try await cluster.user("shown", ownedBy: "n3")
            let socket = try await cluster["n1"].webSocket(user)
            let stream = try CurlStream(cluster["n2"].eventStreamURL(user))
            try await stream.waitUntilAttached()
            let poll = try RawConnection(port: cluster["n3"].client)
            try await poll.send(RawConnection.request("GET", "/v1/poll?user=\(user)&wait=25"))
            try await cluster["n1"].waitForSockets(3, of: user)
            let receipt = try await cluster["n1"].publish("seen", to: user)
            let message = try await socket.message("seen")
            try await cluster["n1"].waitForSockets(2, of: user)
            for node in cluster.nodes {
                let picture = try await node.user(user)
                #expect(picture.user == user)
                #expect(picture.owner == "n3")
                #expect(picture.next.count == 2 && !picture.next.contains("n3"))
                #expect(picture.epoch == receipt.epoch)
                #expect(picture.cursor == message.cursor)
                #expect(picture.history?.messages == 1)
                #expect(picture.unanswered == [])
                #expect(picture.slot == Int(picture.hash.prefix(4), radix: 16))
                #expect(Set(picture.sockets.map { "\($0.edge) \($0.transport)" }) == ["n1 ws", "n2 sse"])
                #expect(picture.sockets.allSatisfy { $0.remote?.hasPrefix("127.0.0.1:") == true && $0.cursor == message.cursor })
                let location = try await node.locate(user)
                #expect(location.slot == picture.slot)
            }
            let bad = try await RawConnection.exchange(port: cluster.nodes[0].api, "GET", "/v1/users/%FF")
            #expect(bad.errorCode == "bad_name")
        }

        @Test func aNodeThatDoesNotAnswerIsNotWaitedFor() async throws {
            let cluster = try await Shared.cluster()
            try await cluster.settled()
            let user = try await cluster.user("silent-owner", ownedBy: "n3")
            let silent = try cluster["n3"]
            try await silent.suspend()
            defer { silent.resume() }
            let began = ContinuousClock.now
            let ring = try #require(try await cluster["n1"].ring())
            let picture = try await cluster["n2"].user(user)
            // Two questions, each with two seconds; the rest is for a busy machine.
            #expect(ContinuousClock.now - began < .seconds(4.5))
            #expect(try !ring.node("n3").answered)
            #expect(try ring.node("n3").slots ?? 0 > 0, "it is still in the ring")
            #expect(try ring.node("n1").answered && ring.node("n2").answered)
            #expect(picture.unanswered == ["n3"])
            #expect(picture.owner == "n3")
            silent.resume()
            try await cluster.settled()
            try await cluster["n1"].publish("x", to: user)
        }
    }
}
