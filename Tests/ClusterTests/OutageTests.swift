// ZooKeeper away, and a node that sleeps longer than its session lives.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Outages {
        @Test func nobodyNoticesThatZooKeeperIsAway() async throws {
            let cluster = try await Cluster.start()
            let before = try await cluster.settled()
            let users = try await cluster.users("calm", ownedBy: cluster.nodes.map(\.id)).values.compactMap(\.first).sorted()
            let sockets = try PythonWebSockets(zip(users, cluster.nodes.reversed()).map { $1.webSocketURL($0) }).sockets
            for socket in sockets { try await socket.waitUntilAttached() }
            var sent = 0
            /// Publishes to every user through another node each time; every one has to be taken.
            func publishRound() async throws {
                for user in users {
                    try await cluster.nodes[sent % cluster.nodes.count].publish("\(sent)", to: user)
                    sent += 1
                }
            }
            try await cluster.whole()
            await cluster.zookeeper.stop()
            try await eventually(within: 60, "all nodes are in outage mode") {
                try await publishRound()
                return try await cluster.nodes[0].ring()?.nodes.allSatisfy { $0.lease == "outage" } == true
            }
            let timeout = cluster.sessionTimeoutMilliseconds
            try await eventually(within: 60, "the ring grows old on every node, and nothing else happens") {
                try await publishRound()
                for node in cluster.nodes {
                    let age = try await node.metrics()["ringpost_ring_age_milliseconds"]
                    if age < Double(2 * timeout) { return false }
                }
                return true
            }
            for node in cluster.nodes {
                let ring = try #require(try await node.ring())
                #expect(ring.epoch == before.epoch)
                #expect(ring.epochAgeMilliseconds >= 2 * timeout)
                #expect(try await node.get("/readyz")?.status == 200)
            }
            try await cluster.zookeeper.start()
            try await cluster.settled()
            for node in cluster.nodes {
                #expect(try #require(try await node.ring()).epochAgeMilliseconds < timeout)
            }
            try await publishRound()
            for (index, socket) in sockets.enumerated() {
                let messages = try await socket.messages(sent / users.count)
                #expect(messages.map(\.data) == stride(from: index, to: sent, by: users.count).map { "\($0)" })
                let events = try socket.events()
                #expect(events.gaps.isEmpty && events.closes.isEmpty)
            }
        }

        @Test func aMemberThatDiesWhileZooKeeperIsAwayFreezesTheOthers() async throws {
            let cluster = try await Cluster.start()
            let user = try await cluster.user("frozen", ownedBy: "n1")
            let socket = try await cluster["n2"].webSocket(user)
            try await cluster.whole()
            await cluster.zookeeper.stop()
            try await eventually(within: 60, "all nodes are in outage mode") {
                try await cluster.nodes[0].ring()?.nodes.allSatisfy { $0.lease == "outage" } == true
            }
            let dead = try cluster.take("n3")
            dead.kill()
            var refused: HTTPAnswer?
            try await eventually(within: 60, "the others freeze") {
                let answer = try await cluster["n2"].post("too early", to: user)
                if answer.status != 200 { refused = answer }
                return answer.errorCode == "frozen"
            }
            #expect(refused?.status == 503)
            #expect(refused?.headers["retry-after"] != nil)
            #expect(try await cluster["n1"].get("/readyz")?.status == 503)
            #expect(try await cluster["n1"].get("/healthz")?.status == 200)
            try await cluster.zookeeper.start()
            try await cluster.settled()
            try await cluster["n2"].publish("at last", to: user)
            _ = try await socket.message("at last")
            #expect(try socket.events().gaps.isEmpty, "a frozen node keeps its mailboxes")
        }

        @Test func aNodeThatIsToldToEndServesOnUntilItCanHandOver() async throws {
            let cluster = try await Cluster.start()
            try await cluster.settled()
            let user = try await cluster.user("served", ownedBy: "n3")
            try await cluster.whole()
            await cluster.zookeeper.stop()
            try await eventually(within: 60, "all nodes are in outage mode") {
                try await cluster.nodes[0].ring()?.nodes.allSatisfy { $0.lease == "outage" } == true
            }
            let order = Array(#"{"user":"alice"}"#.utf8)
            let refused = try await RawConnection.exchange(port: cluster.nodes[0].api, "POST", "/v1/revocations", body: order)
            #expect(refused.status == 503 && refused.errorCode == "unavailable", "\(refused.text)")
            #expect(refused.headers["retry-after"] != nil)
            let leaving = try cluster.take("n3")
            leaving.terminate()
            try await leaving.waitForLog("nothing can be handed over; serving on until it is back", seconds: 60)
            #expect(try await cluster["n1"].publish("before", to: user).owner == "n3")
            try leaving.requireRunning()
            try await cluster.zookeeper.start()
            #expect(try await leaving.waitForExit(seconds: 60) == 0)
            try await cluster.settled()
            #expect(try await cluster["n1"].publish("after", to: user).owner != "n3")
            let poll = try await cluster["n2"].poll("user=\(user)&since=earliest&wait=0")
            #expect(poll.messages.map(\.data) == ["before", "after"], "it was handed over")
        }

        @Test func slotsThatHaveNobodyAreToldOf() async throws {
            let cluster = try await Cluster.start()
            try await cluster.settled()
            // All die; one of them is there, holds its address, and answers nothing.
            let silent = try cluster.take("n3")
            try await silent.suspend()
            for node in cluster.nodes { node.kill() }
            for node in cluster.nodes { try node.launch() }
            let node = cluster.nodes[0]
            try await eventually(within: 90, "it does not count as ready any more, and says why") {
                guard let answer = try await node.get("/readyz"), answer.status == 503 else { return false }
                return answer.text.contains("this node's slots have nobody") && answer.text.contains("for n3")
            }
            let report = try #require(try await node.ring()).node("n1")
            let waiting = try #require(report.waiting)
            #expect(waiting.slots > 0 && waiting.for == ["n3"])
            #expect(try #require(waiting.secondsLeft) > 500, "as long as it might act without ZooKeeper")
            #expect(report.alarms?.contains { $0.contains("n3") && $0.contains("might still act") } == true)
            let metrics = try await node.metrics()
            #expect(metrics[#"ringpost_alarm{kind="slots_wait"}"#] == 1)
            #expect(metrics["ringpost_slots_waiting"] == Double(waiting.slots))
            let printed = try await RingpostProgram.run(["ring", "--api", node.apiURL])
            #expect(printed.output.contains("slots have waited for n3"), "\(printed.output)")
            silent.resume()
            cluster.putBack(silent)
            try await cluster.settled()
            try await eventually(within: 60, "it is over") {
                let isOver = try await node.metrics()[#"ringpost_alarm{kind="slots_wait"}"#] == 0
                return try await node.get("/readyz")?.status == 200 && isOver
            }
        }

        @Test func aNodeThatSleptTooLongComesBackAsAnother() async throws {
            let cluster = try await Cluster.start()
            let before = try await cluster.settled()
            let users = try await cluster.users("sleeper", ownedBy: ["n3"], count: 3)["n3"] ?? []
            let sleeper = try cluster.take("n3")
            let pid = sleeper.pid
            let socket = try await cluster["n1"].webSocket(users[0])
            try await sleeper.suspend()
            // The kernel takes this in for it: when it wakes up, it thinks that it still owns the user.
            let letters = try (0..<3).map { _ in try RawConnection(port: sleeper.api) }
            for (letter, user) in zip(letters, users) {
                try await letter.send(RawConnection.request("POST", "/v1/users/\(user)/messages", body: Array("late".utf8)))
            }
            try await cluster.settled()
            let receipt = try await cluster["n2"].publish("meanwhile", to: users[0])
            #expect(receipt.owner != "n3")
            _ = try await socket.message("meanwhile")
            for letter in letters {
                letter.readAvailable()
                #expect(letter.received.isEmpty, "it sleeps")
            }
            sleeper.resume()
            for letter in letters {
                let answer = try await letter.answer(seconds: 60)
                if answer.status == 503 { continue }
                // Taken: then by the present owner. What it says in an epoch before the take-over would be a second voice.
                let late: Receipt = try answer.json()
                #expect(late.owner == "n3" ? late.epoch > receipt.epoch : late.epoch >= receipt.epoch, "\(late)")
            }
            cluster.putBack(sleeper)
            let after = try await cluster.settled()
            #expect(try after.node("n3").boot != before.node("n3").boot)
            #expect(sleeper.pid == pid)
            try sleeper.requireRunning()
            let last = try await sleeper.publish("awake", to: users[0])
            #expect(last.owner == "n3")
            _ = try await socket.message("awake")
            #expect(try socket.events().gaps.isEmpty, "the others had a copy")
        }

        @Test func aNodeThatHasNeverReachedZooKeeperSaysSo() async throws {
            let port = try FreePorts.take(1)[0]
            let node = try NodeProcess("n1", zookeeper: "127.0.0.1:\(port)")
            try node.launch()
            try await eventually(within: 60, "it answers") {
                try node.requireRunning()
                return try await node.get("/healthz")?.status == 200
            }
            #expect(try await node.get("/readyz")?.errorCode == "not_ready")
            let ring = try #require(try await node.get("/v1/ring"))
            #expect(ring.status == 503)
            #expect(ring.errorCode == "no_owner")
            let publish = try await node.post("x", to: "alice")
            #expect(publish.status == 503)
            #expect(publish.errorCode == "no_owner")
            #expect(publish.headers["retry-after"] != nil)
            for path in ["ws", "poll", "locate"] {
                let answer = try await RawConnection.exchange(port: node.client, "GET", "/v1/\(path)?user=alice")
                #expect(answer.status == 503, "\(path)")
            }
            // An EventSource that is answered 503 would not come again.
            let stream = try await RawConnection.exchange(port: node.client, "GET", "/v1/sse?user=alice")
            #expect(stream.putOffCode == "no_owner", "\(stream.text)")
            _ = try await node.metrics()
            node.terminate()
            #expect(try await node.waitForExit(seconds: 30) == 0)
        }
    }
}
