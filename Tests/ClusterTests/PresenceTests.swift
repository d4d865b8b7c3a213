// Who is there: joins and leaves on sockets, lists for whoever asks, also when nodes die.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Presence {
        /// The events about who comes and goes, in order: `["=alice,bob", "+carol", "-bob"]`.
        private func heard(_ listener: any Listener) throws -> [String] {
            try listener.events().compactMap { event in
                guard case .other(let text) = event else { return nil }
                // An event stream's block names its event too.
                let json = text.split(separator: "\n").last { $0.hasPrefix("data: ") }.map { $0.dropFirst(6) } ?? text[...]
                guard let told = try? JSONDecoder().decode(Told.self, from: Data(json.utf8)) else { return nil }
                let sign = ["presence": "=", "join": "+", "leave": "-"][told.event] ?? "?"
                return sign + told.users.joined(separator: ",")
            }
        }

        private func wait(_ listener: any Listener, _ expected: [String], seconds: Double = 30) async throws {
            try await listener.wait("\(expected)", seconds: seconds) { _ in try heard(listener).suffix(expected.count) == expected[...] }
        }

        @Test func whoComesAndGoesIsHeardOnEveryNodeAndTransport() async throws {
            let cluster = try await Shared.cluster()
            let nodes = cluster.nodes
            let query = "channels=lobby&presence=true"
            let socket = try PythonWebSockets(["ws://127.0.0.1:\(nodes[0].client)/v1/ws?user=ann&\(query)"]).sockets[0]
            try await wait(socket, ["=ann"])
            let stream = try CurlStream("\(nodes[1].clientURL)/v1/sse?user=ben&\(query)")
            try await wait(socket, ["+ben"])
            try await wait(stream, ["=ann,ben"])
            // A second socket of one who is there already is nobody new; one without a user has no name.
            let more = try PythonWebSockets([1, 2].map { "ws://127.0.0.1:\(nodes[$0].client)/v1/ws?user=ann&channels=lobby" })
            let nobody = try CurlStream("\(nodes[2].clientURL)/v1/sse?channels=lobby")
            try await nobody.waitUntilAttached()
            for socket in more.sockets { try await socket.waitUntilAttached() }
            try await eventually(within: 20, "five subscribers") { try await nodes[2].channel("lobby").subscribers == 5 }
            for node in nodes {
                let channel = try await node.channel("lobby")
                #expect(channel.users == [.init(user: "ann", sockets: 3), .init(user: "ben", sockets: 1)])
                #expect(channel.nodes.map(\.node) == nodes.map(\.id) && channel.nodes.map(\.subscribers) == [1, 2, 2])
            }
            // Back within a few seconds, at another node: never away.
            stream.process.kill()
            let again = try CurlStream("\(nodes[2].clientURL)/v1/sse?user=ben&\(query)")
            try await wait(again, ["=ann,ben"])
            let cat = try PythonWebSockets(["ws://127.0.0.1:\(nodes[2].client)/v1/ws?user=cat&channels=lobby"])
            try await wait(again, ["=ann,ben", "+cat"])
            more.process.kill()
            cat.process.kill()
            try await wait(again, ["=ann,ben", "+cat", "-cat"])
            try await wait(socket, ["=ann", "+ben", "+cat", "-cat"])
            let command = try await RingpostProgram.run(["channel", "lobby", "--api", nodes[1].apiURL])
            #expect(command.output.contains("subscribers  3: ") && command.output.contains("ann  1 socket"))
        }

        @Test func aSocketSaysWhatItWatches() async throws {
            let cluster = try await Shared.cluster()
            let socket = try await RawWebSocket(cluster.nodes[0], user: "watcher")
            func next() async throws -> String { try await socket.frame().text }
            func say(_ text: String) async throws { try await socket.connection.send(RawWebSocket.masked(0x81, Array(text.utf8))) }
            _ = try await next()
            try await say(#"{"subscribe":["door"]}"#)
            #expect(try await next().contains("attached"))
            try await say(#"{"subscribe":[{"channel":"door","presence":true}]}"#)
            #expect(try await next().contains("attached"))
            #expect(try await next() == #"{"event":"presence","channel":"door","subscribers":1,"users":["watcher"]}"#)
            let guest = try CurlStream("\(cluster.nodes[1].clientURL)/v1/sse?user=guest%20%22x%22&channels=door")
            try await guest.waitUntilAttached()
            #expect(try await next() == #"{"event":"join","channel":"door","users":["guest \"x\""]}"#)
            try await say(#"{"unsubscribe":["door"]}"#)
            #expect(try await next().contains("unsubscribed"))
            // One who is not watched by anybody any more can go without a word.
            guest.process.kill()
            try await eventually(within: 30, "nobody") { try await cluster.nodes[2].channel("door").users.isEmpty }
            let bad = try await RawConnection.exchange(
                port: cluster.nodes[0].client, "GET", "/v1/poll?channels=door&presence=true")
            #expect(bad.status == 400 && bad.text.contains("bad_parameter"))
        }

        @Test func aPollerIsThereBetweenItsPolls() async throws {
            let node = try await Shared.loner()
            _ = try await Curl.run(["\(node.clientURL)/v1/poll?user=polly&channels=pond&wait=4&since=earliest"])
            let answered = ContinuousClock.now
            let channel = try await node.channel("pond")
            let user = try await node.user("polly")
            // The answer came after four seconds; four more are left, and a few that everybody has. A slow machine proves nothing.
            if ContinuousClock.now - answered < .seconds(2) {
                #expect(channel.subscribers == 1 && channel.users.map(\.user) == ["polly"])
                #expect(user.online == true && user.since != nil && user.lastSeen == nil)
            }
            try await eventually(within: 30, "gone") { try await node.channel("pond").users.isEmpty }
            try await eventually(within: 30, "offline") { try await node.user("polly").online == false }
            #expect(try await node.user("polly").lastSeen != nil)
        }

        /// The death of a node with subscribers and of the owner: those who stay are told of those who went, and of nobody else.
        @Test func aDeathIsHeardAsWhatItIs() async throws {
            let cluster = try await Cluster.start()
            // A slot whose history is on its way yet is nobody's to answer for.
            try await eventually(within: 30, "an owner") { (try? await cluster.nodes[0].channel("pier")) != nil }
            let owner = try await cluster.nodes[0].channel("pier").owner
            let others = cluster.nodes.filter { $0.id != owner }
            let query = "channels=pier&presence=true"
            let staying = try PythonWebSockets(["ws://127.0.0.1:\(others[0].client)/v1/ws?user=stay&\(query)"]).sockets[0]
            try await wait(staying, ["=stay"])
            let far = try CurlStream("\(others[1].clientURL)/v1/sse?user=far&\(query)")
            try await wait(staying, ["=stay", "+far"])
            let lost = try CurlStream("\(try cluster[owner].clientURL)/v1/sse?user=lost&\(query)")
            try await wait(staying, ["=stay", "+far", "+lost"])
            try cluster.take(owner).kill()
            try await wait(staying, ["=stay", "+far", "+lost", "-lost"], seconds: 60)
            _ = lost
            let after = try await others[1].channel("pier")
            #expect(after.owner != owner && after.subscribers == 2 && after.users.map(\.user) == ["far", "stay"])
            // An edge: its subscribers have gone, until they come again elsewhere.
            try cluster.take(others[1].id).kill()
            try await wait(staying, ["=stay", "+far", "+lost", "-lost", "-far"], seconds: 60)
            try await eventually(within: 30, "one is left") { try await others[0].channel("pier").subscribers == 1 }
            #expect(try far.events().closes.isEmpty)
        }

        /// When a user was last there goes where the user's mailbox goes. (Of a death: `PromotionTests`.)
        @Test func lastSeenSurvivesTheOwner() async throws {
            let cluster = try await Cluster.start()
            let user = try await cluster.user("seen", ownedBy: "n1")
            let stream = try CurlStream("\(cluster.nodes[1].clientURL)/v1/sse?user=\(user)")
            try await stream.waitUntilAttached()
            let online = try await cluster.nodes[2].user(user)
            #expect(online.online == true && online.since != nil && online.lastSeen == nil)
            let end = Int64(Date().timeIntervalSince1970 * 1_000)
            stream.process.kill()
            try await eventually(within: 20, "offline") { try await cluster.nodes[2].user(user).lastSeen ?? 0 >= end }
            let before = try await cluster.nodes[2].user(user)
            #expect(before.online == false && before.since == nil)
            let leaving = try cluster.take("n1")
            leaving.terminate()
            try await eventually(within: 60, "a new owner") {
                let now = try await cluster.nodes[0].user(user)
                return now.owner != "n1" && now.lastSeen == before.lastSeen
            }
            #expect(try await leaving.waitForExit(seconds: 60) == 0)
        }

        @Test func aChannelThatIsTooFastOrTooFullSaysSo() async throws {
            let node = try await NodeProcess.alone(options: ["--channel-rate", "5", "--channel-subscribers-max", "1", "--loops", "1"])
            var statuses: [Int] = []
            for _ in 0..<30 { statuses.append(try await node.say("x", onChannel: "hot")) }
            #expect(statuses.prefix(10).allSatisfy { $0 == 200 } && statuses.contains(429))
            #expect(try await node.say("x", onChannel: "cool") == 200)
            #expect(try await node.metrics()[#"ringpost_messages_total{outcome="too_fast"}"#] > 0)
            let first = try CurlStream("\(node.clientURL)/v1/sse?channels=cosy")
            try await first.waitUntilAttached()
            let second = try CurlStream("\(node.clientURL)/v1/sse?channels=cosy")
            try await second.wait("refused") { !$0.closes.isEmpty }
            #expect(try second.events().closes.first?.contains("try_later") == true)
            let socket = try await RawWebSocket(node, user: "late")
            try await socket.connection.send(RawWebSocket.masked(0x81, Array(#"{"subscribe":["cosy","roomy"]}"#.utf8)))
            var texts: [String] = []
            while texts.count < 3 { texts.append(try await socket.frame().text) }
            #expect(texts.contains { $0.contains(#""channel":"cosy","error":{"code":"channel_full""#) })
            #expect(texts.contains { $0.contains(#""event":"attached","channel":"roomy""#) })
            #expect(try await node.metrics()["ringpost_channel_refused_total"] == 2)
        }
    }
}

private struct Told: Decodable {
    let event: String
    let users: [String]
}

/// `GET /v1/channels/{channel}`.
private struct ChannelPicture: Decodable {
    struct User: Decodable, Equatable {
        let user: String
        let sockets: Int
    }
    struct Node: Decodable {
        let node: String
        let subscribers: Int
    }
    let owner: String
    let subscribers: Int
    let users: [User]
    let nodes: [Node]
}

extension NodeProcess {
    fileprivate func say(_ text: String, onChannel name: String) async throws -> Int {
        try await RawConnection.exchange(
            port: api, "POST", "/v1/channels/\(name)/messages", headers: ["Content-Type": "text/plain"], body: Array(text.utf8)
        ).status
    }

    fileprivate func channel(_ name: String) async throws -> ChannelPicture { try await Curl.json(["\(apiURL)/v1/channels/\(name)"]) }
}
