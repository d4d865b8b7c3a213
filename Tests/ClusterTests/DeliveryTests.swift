// Three nodes: whatever a message's way in, it comes out on every socket of its user, once and in order.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Delivery {
        @Test func everyTransportAtEveryNodeReceivesEverything() async throws {
            let cluster = try await Shared.cluster()
            let user = "everywhere"
            let python = try PythonWebSockets(cluster.nodes.map { $0.webSocketURL(user) })
            let node = try NodeEventSources(cluster.nodes.map { $0.eventStreamURL(user) })
            let curls = try cluster.nodes.map { try CurlStream($0.eventStreamURL(user)) }
            let pollers = cluster.nodes.flatMap { [CurlPoller($0.pollURL(user), wait: 25), CurlPoller($0.pollURL(user), wait: 0)] }
            let listeners: [any Listener] = python.sockets + node.sockets + curls + pollers
            #expect(listeners.count == 15)
            for listener in listeners { try await listener.waitUntilAttached() }
            let texts = (1...30).map { "message \($0)" }
            let epoch = try await cluster.nodes[0].ring()?.epoch
            let owner = try await cluster.nodes[0].locate(user).owner.id
            for (index, text) in texts.enumerated() {
                let node = cluster.nodes[index % cluster.nodes.count]
                let receipt: Receipt = try await Curl.json(["-d", text, node.messagesURL(user)])
                #expect(receipt.seq == index + 1)
                #expect(receipt.owner == owner)
                #expect(receipt.epoch == epoch)
                #expect(receipt.outcome == "delivered")
            }
            for listener in listeners {
                let messages = try await listener.messages(30)
                #expect(messages.map(\.data) == texts, "\(listener.name)")
                #expect(messages.map(\.seq) == Array(1...30), "\(listener.name)")
                let events = try listener.events()
                #expect(events.gaps.isEmpty && events.closes.isEmpty, "\(listener.name)")
            }
        }

        @Test func everyOwnerIsReachedFromEveryNode() async throws {
            let cluster = try await Shared.cluster()
            let users = try await cluster.users("owned", ownedBy: cluster.nodes.map(\.id))
            for (owner, names) in users {
                let user = names[0]
                let sockets = try PythonWebSockets(cluster.nodes.map { $0.webSocketURL(user) }).sockets
                for socket in sockets { try await socket.waitUntilAttached() }
                for node in cluster.nodes {
                    let receipt = try await node.publish("via \(node.id)", to: user)
                    #expect(receipt.owner == owner)
                    #expect(receipt.outcome == "delivered")
                    let location = try await node.locate(user)
                    #expect(location.owner.id == owner)
                    #expect(location.isSelf == (node.id == owner))
                    let own = try cluster[owner]
                    #expect(location.owner.client == "127.0.0.1:\(own.client)")
                    #expect(location.owner.api == "127.0.0.1:\(own.api)")
                }
                for socket in sockets {
                    #expect(try await socket.messages(3).map(\.data) == cluster.nodes.map { "via \($0.id)" })
                }
            }
        }

        @Test func nobodyElseReceivesIt() async throws {
            let cluster = try await Shared.cluster()
            let other = try await cluster.nodes[0].webSocket("bystander")
            let socket = try await cluster.nodes[1].webSocket("addressee")
            try await cluster.nodes[2].publish("for one", to: "addressee")
            _ = try await socket.message("for one")
            try await cluster.nodes[2].publish("for the other", to: "bystander")
            _ = try await other.message("for the other")
            #expect(try other.events().messages.count == 1)
            #expect(try socket.events().messages.count == 1)
        }

        @Test func aReceiptSaysWhetherAnybodyWasThere() async throws {
            let cluster = try await Shared.cluster()
            let user = try await cluster.user("receipt", ownedBy: "n2")
            #expect(try await cluster["n1"].publish("1", to: user).outcome == "stored")
            let socket = try await cluster["n3"].webSocket(user)
            let receipt = try await cluster["n1"].publish("2", to: user)
            #expect(receipt.outcome == "delivered")
            #expect(receipt.owner == "n2")
            #expect(receipt.seq == 2)
            // Whoever begins without a cursor begins with what comes next.
            #expect(try await socket.messages(1).map(\.data) == ["2"])
        }

        @Test func streamsOfThreeProducersKeepTheirOrder() async throws {
            let cluster = try await Shared.cluster()
            let user = "crowd"
            let sockets = try PythonWebSockets(cluster.nodes.map { $0.webSocketURL(user) }).sockets
            for socket in sockets { try await socket.waitUntilAttached() }
            // All producers send all their requests before anybody reads an answer.
            let count = 60
            let connections = try cluster.nodes.map { try RawConnection(port: $0.api) }
            for (producer, connection) in connections.enumerated() {
                let requests = (0..<count).flatMap {
                    RawConnection.request("POST", "/v1/users/\(user)/messages", body: Array("\(producer) \($0)".utf8))
                }
                try await connection.send(requests)
            }
            for connection in connections {
                var last = 0
                for _ in 0..<count {
                    let receipt: Receipt = try await connection.answer().json()
                    #expect(receipt.seq > last)
                    last = receipt.seq
                }
            }
            var orders: Set<[String]> = []
            for socket in sockets {
                let messages = try await socket.messages(3 * count)
                #expect(messages.map(\.seq) == Array(1...(3 * count)))
                orders.insert(messages.map(\.data))
            }
            #expect(orders.count == 1, "all sockets see one order")
            for producer in 0..<3 {
                let own = orders.first?.filter { $0.hasPrefix("\(producer) ") }
                #expect(own == (0..<count).map { "\(producer) \($0)" })
            }
        }

        @Test(arguments: [
            "a user", "[`|]{}^", "100% sure", "slash/es", "Zoë-日本-\u{1F600}", "plus+and&amp=", "..", "%41",
            String(repeating: "é", count: 128),
        ])
        func anyNameIsAUser(name: String) async throws {
            let cluster = try await Shared.cluster()
            let socket = try await cluster.nodes[0].webSocket(name)
            let receipt = try await cluster.nodes[1].publish("for \(name)", to: name)
            #expect(receipt.user == name)
            #expect(receipt.outcome == "delivered")
            #expect(try await socket.messages(1).map(\.data) == ["for \(name)"])
            let picture = try await cluster.nodes[2].user(name)
            #expect(picture.user == name)
            #expect(picture.owner == receipt.owner)
            #expect(picture.sockets.map(\.edge) == [cluster.nodes[0].id])
        }
    }
}
