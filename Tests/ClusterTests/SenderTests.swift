// Who published it: idempotency keys that are their publisher's, messages that say who sent them, and a budget of names, with real nodes.

import Foundation
import RingpostClient
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Senders {
        /// A client that guesses a backend's key used to make the backend's message a repeat, which nobody ever got.
        @Test func nobodyElsesIdempotencyKeyCounts() async throws {
            let issuer = try Issuer()
            let cluster = try await Cluster.start(options: { _ in issuer.options })
            // Its ZooKeeper goes with it.
            defer { withExtendedLifetime((issuer, cluster)) {} }
            let nodes = cluster.nodes
            let token = try issuer.token("mallory", #""publishUsers":["bob"]"#)
            func forge(at node: NodeProcess) async throws -> String {
                let socket = try await RawWebSocket.open(node, token: token)
                try await socket.say(#"{"publish":{"user":"bob","data":"forged","idempotencyKey":"order-1"},"ref":1}"#)
                return try await socket.hear(#""event":"receipt""#)
            }
            #expect(try await forge(at: nodes[0]).contains(#""seq":1,"#))
            // The same publisher's second try is known on every node.
            for (number, node) in nodes.enumerated() {
                let receipt = try await node.publish("paid", to: "bob", headers: ["Idempotency-Key": "order-1"])
                #expect(receipt.seq == 2 && receipt.repeated == (number == 0 ? nil : true))
                let repeated = try await forge(at: node)
                #expect(repeated.contains(#""seq":1,"#) && repeated.contains(#""repeated":true"#), "\(repeated)")
            }
            let poll = try await nodes[2].ask("/v1/poll?wait=0&since=earliest", token: try issuer.token("bob"))
            #expect(poll.text.components(separatedBy: #""seq":"#).count == 3, "two messages: \(poll.text)")
        }

        @Test func messagesSayWhoSentThemOnEveryNode() async throws {
            let issuer = try Issuer()
            defer { withExtendedLifetime(issuer) {} }
            let cluster = try await Cluster.start(options: { _ in issuer.options })
            let token = try issuer.token("bob")
            let socket = try await RawWebSocket.open(cluster.nodes[1], token: token)
            let stream = try CurlStream("\(cluster.nodes[2].clientURL)/v1/sse", headers: ["Authorization: Bearer \(token)"])
            try await stream.waitUntilAttached()
            for (number, node) in cluster.nodes.enumerated() {
                let alice = try await RawWebSocket.open(node, token: try issuer.token(#"al\"ice"#, #""publishUsers":["*"]"#))
                try await alice.say(#"{"publish":{"user":"bob","from":{"key":"x"},"data":{"from":\#(number)}}}"#)
                try await alice.hear("receipt")
            }
            let owner = try await cluster.nodes[1].publish("4", to: "bob").owner
            _ = try await stream.messages(4)
            let (text, poll) = (stream.process.output, try await cluster.nodes[2].ask("/v1/poll?wait=0&since=earliest", token: token))
            for number in 0...3 {
                let heard = try await socket.hear(#""seq":\#(number + 1),"#)
                let end = number == 3 ? #""data":"4"}"# : #","from":{"user":"al\"ice"},"data":{"from":\#(number)}}"#
                #expect(heard.hasSuffix(end) && heard.contains(#""from":{"#) == (number < 3), "\(heard)")
                #expect(text.contains(heard) && poll.text.contains(heard), "the same on every transport: \(heard)")
            }
            // It moves with the history.
            let leaving = try cluster.take(owner)
            leaving.terminate()
            #expect(try await leaving.waitForExit(seconds: 60) == 0)
            let rest = cluster.nodes[0]
            try await eventually(within: 60, "the new owner has it") {
                try await rest.ask("/v1/poll?wait=0&since=earliest", token: token).text.components(separatedBy: #""from":{"user""#).count
                    == 4
            }
        }

        /// a is named, b is not.
        @Test func aKeyThatSaysSoIsNamed() async throws {
            let (issuer, ring) = (
                try Issuer(), try KeyRing([#""scopes":["publish-users"],"named":true"#, #""scopes":["publish-users"]"#])
            )
            defer { withExtendedLifetime((issuer, ring)) {} }
            let node = try await NodeProcess.alone(options: issuer.options + ring.options)
            func publish(_ text: String, with letter: Character) async throws -> HTTPAnswer {
                try await node.order(
                    "POST", "/v1/users/bob/messages", headers: KeyRing.header(letter).merging(["Idempotency-Key": "k"]) { $1 }, text)
            }
            #expect(try await publish("1", with: "a").text.contains(#""seq":1,"#))
            #expect(try await publish("2", with: "b").text.contains(#""seq":2,"#), "another key's")
            #expect(try await publish("1", with: "a").text.contains(#""repeated":true"#))
            let batch = try await node.order(
                "POST", "/v1/messages", headers: KeyRing.header("a"), #"{"user":"bob","data":3,"from":{"user":"x"}}"#)
            #expect(batch.status == 200)
            var options = Producer.Options()
            options.apiKey = KeyRing.text("a")
            let producer = Producer(links: [Endpoint(host: "127.0.0.1", port: node.link)], options: options)
            _ = try await producer.send(.json(Array("4".utf8)), to: .user("bob"))
            await producer.close()
            let poll = try await node.ask("/v1/poll?wait=0&since=earliest", token: try issuer.token("bob"))
            for data in [#""1""#, "3", "4"] {
                #expect(poll.text.contains(#","from":{"key":"aaaaaaaaaaaa"},"data":\#(data)}"#), "\(data): \(poll.text)")
            }
            #expect(poll.text.components(separatedBy: #""from":"#).count == 4, "whose key does not say so is not named")
        }

        @Test func newNamesHaveABudget() async throws {
            let issuer = try Issuer()
            defer { withExtendedLifetime(issuer) {} }
            let node = try await NodeProcess.alone(options: issuer.options + ["--loops", "1", "--limit", "client-names=2"])
            let grant = #""publish":["game:*"],"subscribe":["game:*"]"#
            let socket = try await RawWebSocket.open(node, token: try issuer.token("alice", grant))
            for number in 1...3 { try await socket.say(#"{"publish":{"channel":"game:\#(number)","data":1},"ref":\#(number)}"#) }
            #expect(try await socket.hear(#""ref":3"#).contains(#""code":"too_many_names""#))
            try await socket.say(#"{"publish":{"channel":"game:1","data":2},"ref":4}"#)
            #expect(try await socket.hear(#""ref":4"#).contains(#""seq":2,"#))
            let other = try await RawWebSocket.open(node, token: try issuer.token("bob", grant))
            try await other.say(#"{"publish":{"channel":"game:3","data":1},"ref":5}"#)
            #expect(try await other.hear(#""ref":5"#).contains(#""seq":1,"#))
            #expect(try await node.limited("client-names") == 1)
            // To listen to names is no way to fill the node.
            for number in 10..<60 {
                try await other.say(#"{"subscribe":["game:\#(number)"]}"#)
                try await other.say(#"{"unsubscribe":["game:\#(number)"]}"#)
            }
            try await other.hear(#"{"event":"unsubscribed","channel":"game:59""#)
            try await node.wait(for: "ringpost_mailboxes", "five: three channels and two users") { $0 == 5 }
        }
    }
}
