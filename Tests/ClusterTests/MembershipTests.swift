// Nodes come, go, die, sleep and come back. Each test has a cluster of its own.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Membership {
        @Test func aLiveNamesakeIsRefused() async throws {
            let cluster = try await Shared.cluster()
            let before = try await cluster.settled()
            let holder = try cluster["n2"]
            let namesake = try cluster.stranger("n2")
            try namesake.launch()
            #expect(try await namesake.waitForExit(seconds: 60) == 1)
            #expect(namesake.log.contains("the node id n2 is in use"), "\(namesake.log)")
            #expect(namesake.log.contains("127.0.0.1:\(holder.link)"), "it names who holds the id")
            let after = try await cluster.settled()
            #expect(after.epoch == before.epoch)
            #expect(try after.node("n2").boot == before.node("n2").boot)
        }

        @Test func aKilledNodesUsersGoOnWithTheOthers() async throws {
            let cluster = try await Cluster.start()
            let users = try await cluster.users("orphan", ownedBy: ["n1", "n3"])
            let user = try #require(users["n3"]?.first)
            let bystander = try #require(users["n1"]?.first)
            // Sockets of a user of the dying node on both survivors, and of one whom its death does not concern.
            let sockets = try PythonWebSockets([cluster["n1"].webSocketURL(user), cluster["n2"].webSocketURL(user)]).sockets
            let stream = try NodeEventSources([cluster["n1"].eventStreamURL(user)]).sockets[0]
            let other = try await cluster["n2"].webSocket(bystander)
            for listener in sockets + [stream] { try await listener.waitUntilAttached() }
            try await cluster["n1"].publish("before", to: user)
            for listener in sockets + [stream] { _ = try await listener.message("before") }
            let dead = try cluster.take("n3")
            dead.kill()
            try await cluster["n2"].publish("meanwhile", to: bystander)
            _ = try await other.message("meanwhile")
            let ring = try await cluster.settled()
            #expect(ring.nodes.compactMap(\.slots).reduce(0, +) == 65_536)
            // The sockets have stayed, and go on where they were.
            let receipt = try await cluster["n2"].publish("after", to: user)
            #expect(["n1", "n2"].contains(receipt.owner))
            #expect(receipt.epoch == ring.epoch)
            for listener in sockets + [stream] {
                _ = try await listener.message("after")
                let events = try listener.events()
                #expect(events.messages.map(\.data) == ["before", "after"], "\(listener.name)")
                #expect(events.gaps.isEmpty && events.closes.isEmpty, "\(listener.name)")
            }
            let untouched = try other.events()
            #expect(untouched.gaps.isEmpty && untouched.closes.isEmpty)
        }

        @Test func aRestartedNamesakeWaitsForItsOldZnodeAndJoins() async throws {
            let cluster = try await Cluster.start(weights: [100, 100])
            let before = try await cluster.settled()
            let node = try cluster["n2"]
            node.kill()
            try node.launch()
            try await node.waitForLog("waiting until ZooKeeper ends the session of n2", seconds: 60)
            let after = try await cluster.settled()
            #expect(after.epoch > before.epoch)
            #expect(try after.node("n2").boot != before.node("n2").boot)
            #expect(try after.node("n1").boot == before.node("n1").boot)
            let user = try await cluster.user("back", ownedBy: "n2")
            #expect(try await cluster["n1"].publish("hello again", to: user).owner == "n2")
        }

        @Test func aNodeThatIsAskedToStopLeavesAtOnce() async throws {
            // So long that nobody who waits for the session's end could be taken for having left in order.
            let timeout = 120_000
            let cluster = try await Cluster.start(sessionTimeoutMilliseconds: timeout, tickTimeMilliseconds: 8_000)
            let user = try await cluster.user("left-behind", ownedBy: "n3")
            let staying = try await cluster["n1"].webSocket(user)
            let leaving = try await cluster["n3"].webSocket(user)
            try await cluster["n2"].publish("before", to: user)
            _ = try await staying.message("before")
            let node = try cluster.take("n3")
            let began = ContinuousClock.now
            node.terminate()
            let ring = try await cluster.settled(seconds: 80)
            #expect(ContinuousClock.now - began < .milliseconds(timeout * 2 / 3))
            #expect(ring.nodes.map(\.id) == ["n1", "n2"])
            #expect(try await node.waitForExit(seconds: 20) == 0)
            let goodbye = try await leaving.wait("the goodbye") { !$0.closes.isEmpty }.closes
            #expect(goodbye.count == 1 && goodbye[0].hasPrefix("1001 resume: going_away; after="), "\(goodbye)")
            try await cluster["n2"].publish("after", to: user)
            #expect(try await staying.message("after").seq == 2)
            #expect(try staying.events().closes.isEmpty && staying.events().gaps.isEmpty)
        }

        @Test func aWeightOfZeroRoutesAndOwnsNothing() async throws {
            let cluster = try await Cluster.start(weights: [100, 300, 0])
            let ring = try await cluster.settled()
            #expect(try ring.node("n3").slots == 0)
            let share = Double(try ring.node("n2").slots ?? 0) / 65_536
            #expect(abs(share - 0.75) < 0.02, "\(share)")
            let router = try cluster["n3"]
            #expect(try await router.get("/readyz")?.status == 200)
            for owner in ["n1", "n2"] {
                let user = try await cluster.user("routed", ownedBy: owner)
                let socket = try await router.webSocket(user)
                let receipt = try await router.publish("through the router", to: user)
                #expect(receipt.owner == owner)
                #expect(receipt.outcome == "delivered")
                _ = try await socket.message("through the router")
                #expect(try await router.poll("user=\(user)&since=earliest&wait=0").messages.count == 1)
            }
            #expect(try await router.metrics()["ringpost_mailboxes"] == 0)
        }

        @Test func aJoinerTakesUsersOverAndTheirSocketsStay() async throws {
            let cluster = try await Cluster.start(weights: [100, 100])
            let users = (1...40).map { "moving-\($0)" }
            let sockets = try PythonWebSockets(users.map { try cluster["n1"].webSocketURL($0) }).sockets
            for socket in sockets { try await socket.waitUntilAttached() }
            for user in users { try await cluster["n2"].publish("before", to: user) }
            let owners = try await Self.owners(of: users, cluster["n1"])
            try cluster.addNode("n3").launch()
            try await cluster.settled()
            let moved = try await Self.owners(of: users, cluster["n1"])
            #expect(moved.values.contains("n3"), "one in three of 40 users moves")
            for user in users { try await cluster["n2"].publish("after", to: user) }
            for (user, socket) in zip(users, sockets) {
                _ = try await socket.message("after")
                let events = try socket.events()
                #expect(events.messages.map(\.data) == ["before", "after"])
                #expect(events.closes.isEmpty && events.gaps.isEmpty, "\(user)")
                // Nothing moves between members that stay.
                #expect(moved[user] == "n3" || moved[user] == owners[user])
            }
        }

        private static func owners(of users: [String], _ node: NodeProcess) async throws -> [String: String] {
            var owners: [String: String] = [:]
            for user in users { owners[user] = try await node.locate(user).owner.id }
            return owners
        }
    }
}
