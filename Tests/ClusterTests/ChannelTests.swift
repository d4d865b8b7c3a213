// A channel on three nodes: one order for all who listen, on every transport; each resumes where it was.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Channels {
        @Test func everyTransportAtEveryNodeHearsOneOrder() async throws {
            let cluster = try await Shared.cluster()
            let query = "user=everybody&channels=town:hall,market"
            let sockets = try PythonWebSockets(cluster.nodes.map { "ws://127.0.0.1:\($0.client)/v1/ws?\(query)" })
            let sources = try NodeEventSources(cluster.nodes.map { "\($0.clientURL)/v1/sse?\(query)" })
            let curls = try cluster.nodes.map { try CurlStream("\($0.clientURL)/v1/sse?\(query)") }
            let pollers = cluster.nodes.flatMap { node in [25, 0].map { CurlPoller("\(node.clientURL)/v1/poll?\(query)", wait: $0) } }
            let streams: [any Listener] = sockets.sockets + sources.sockets + curls
            for stream in streams { try await stream.wait("three beginnings") { $0.cursors.count >= 3 } }
            for poller in pollers { try await poller.waitUntilAttached() }
            // Three producers at once, each with its own order.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for node in cluster.nodes {
                    group.addTask {
                        for number in 1...10 { _ = try await node.publish("\(node.id) \(number)", onChannel: "town:hall") }
                    }
                }
                try await group.waitForAll()
            }
            try await cluster.nodes[0].publish("for one", to: "everybody")
            let last = try await cluster.nodes[1].publish("closed", onChannel: "market")
            #expect(last.outcome == "delivered" && last.seq == 1)
            var orders: Set<[String]> = []
            for listener in streams + pollers {
                let messages = try await listener.messages(32)
                let hall = messages.filter { $0.channel == "town:hall" }
                #expect(hall.map(\.seq) == Array(1...30), "\(listener.name)")
                orders.insert(hall.map(\.data))
                #expect(messages.filter { $0.channel == nil }.map(\.data) == ["for one"], "\(listener.name)")
                #expect(messages.filter { $0.channel == "market" }.map(\.data) == ["closed"], "\(listener.name)")
                #expect(try listener.events().gaps.isEmpty, "\(listener.name)")
            }
            #expect(orders.count == 1)
            for node in cluster.nodes {
                #expect(orders.first?.filter { $0.hasPrefix("\(node.id) ") } == (1...10).map { "\(node.id) \($0)" })
            }
        }

        /// However many sockets listen, the owner knows one listener a node, and none where nobody listens.
        @Test func aNodeListensOnce() async throws {
            let cluster = try await Cluster.start()
            let nodes = cluster.nodes
            let query = "channels=busy"
            let urls = nodes.prefix(2).flatMap { node in (0..<20).map { _ in "ws://127.0.0.1:\(node.client)/v1/ws?\(query)" } }
            let python = try PythonWebSockets(urls)
            for socket in python.sockets { try await socket.waitUntilAttached() }
            let owner = try await nodes[0].publish("one", onChannel: "busy").owner
            for socket in python.sockets { #expect(try await socket.messages(1).map(\.data) == ["one"]) }
            #expect(try await cluster[owner].metrics()["ringpost_attachments"] == 2)
            for node in nodes.prefix(2) {
                let metrics = try await node.metrics()
                #expect(metrics["ringpost_channel_listeners"] == 20 && metrics["ringpost_channels"] == 1)
            }
            python.process.kill()
            // Pollers come again: the node goes on listening for some seconds.
            try await eventually(within: 20, "nobody listens any more") {
                try await cluster[owner].metrics()["ringpost_attachments"] == 0
            }
            #expect(try await nodes[0].publish("two", onChannel: "busy").outcome == "stored")
        }

        @Test func aSocketSaysWhatItListensTo() async throws {
            let cluster = try await Shared.cluster()
            let node = cluster.nodes[0]
            let socket = try await RawWebSocket(node, user: "chooser")
            func next() async throws -> String { String(decoding: try await socket.frame().payload, as: UTF8.self) }
            func say(_ text: String) async throws { try await socket.connection.send(RawWebSocket.masked(0x81, Array(text.utf8))) }
            #expect(try await next().hasPrefix(#"{"event":"attached","cursor":"#))
            let first = try await node.publish("before", onChannel: "choice")
            try await say(#"{"subscribe":["choice"]}"#)
            #expect(try await next().hasPrefix(#"{"event":"attached","channel":"choice","cursor":"#))
            _ = try await cluster.nodes[1].publish("during", onChannel: "choice")
            let message = ClientEvent(json: try await next())
            #expect([message].messages.map(\.data) == ["during"] && [message].messages.map(\.seq) == [first.seq + 1])
            try await say(#"{"unsubscribe":["choice","never"]}"#)
            #expect(try await next().hasPrefix(#"{"event":"unsubscribed","channel":"choice","cursor":"#))
            #expect(try await next() == #"{"event":"unsubscribed","channel":"never"}"#)
            _ = try await node.publish("after", onChannel: "choice")
            // From its cursor, and twice in one command.
            let cursor = try #require([message].messages.first?.cursor)
            try await say(#"{"subscribe":[{"channel":"choice","since":"\#(cursor)"},{"channel":"choice"}]}"#)
            var rest: [String] = []
            while !rest.contains(where: { $0.contains("after") }) { rest.append(try await next()) }
            #expect(rest.first == #"{"event":"attached","channel":"choice","cursor":"\#(cursor)"}"#)
            #expect(rest.compactMap { [ClientEvent(json: $0)].messages.first?.data } == ["after"])
        }

        @Test(arguments: [
            (#"{"subscribe":["a\u0001"]}"#, "bad_name"), (#"{"subscribe":[{"channel":"c","since":"x"}]}"#, "bad_cursor"),
            (#"{"#, "bad_json"),
            (#"{"subscribe":"c"}"#, "bad_json"), (#"{"subscribe":["c"],"unsubscribe":["c"]}"#, "bad_parameter"), ("[]", "bad_json"),
            (#"{"subscribe":[\#((0...255).map { "\"c\($0)\"" }.joined(separator: ","))]}"#, "too_many_channels"),
            (#"{"unsubscribe":[\#((0...255).map { "\"c\($0)\"" }.joined(separator: ","))]}"#, "too_many_channels"),
        ])
        func whatASocketCannotAskForIsAnsweredWithAnError(command: String, code: String) async throws {
            let socket = try await RawWebSocket(try await Shared.cluster().nodes[2], user: "clumsy")
            try await socket.connection.send(RawWebSocket.masked(0x81, Array(command.utf8)))
            while true {
                let text = String(decoding: try await socket.frame().payload, as: UTF8.self)
                if text.contains(#""event":"error""#) {
                    #expect(text.contains(#""code":"\#(code)""#))
                    break
                }
            }
            // It is still there.
            try await socket.connection.send(RawWebSocket.masked(0x81, Array(#"{"unsubscribe":["zz"]}"#.utf8)))
            while !String(decoding: try await socket.frame().payload, as: UTF8.self).contains(#""unsubscribed","channel":"zz""#) {}
        }

        @Test func oneIDResumesEveryChannelAtAnyNode() async throws {
            let cluster = try await Shared.cluster()
            let (first, second) = (cluster.nodes[0], cluster.nodes[1])
            let query = "user=resumer&channels=left,right"
            let id: String
            do {
                let stream = try CurlStream("\(first.clientURL)/v1/sse?\(query)")
                try await stream.wait("three beginnings") { $0.cursors.count >= 3 }
                _ = try await first.publish("1", onChannel: "left")
                _ = try await stream.messages(1)
                id = try #require(stream.stream().split(separator: "\n").last { $0.hasPrefix("id: ") }).dropFirst(4).description
            }
            _ = try await first.publish("2", onChannel: "left")
            _ = try await first.publish("3", onChannel: "right")
            try await first.publish("4", to: "resumer")
            let stream = try CurlStream("\(second.clientURL)/v1/sse?\(query)", headers: ["Last-Event-ID: \(id)"])
            #expect(Set(try await stream.messages(3).map(\.data)) == ["2", "3", "4"])
            #expect(try stream.events().gaps.isEmpty)
            // The same cursor serves a poll.
            let poll: Poll = try await Curl.json(["\(second.clientURL)/v1/poll?\(query)&since=\(id)&wait=0"])
            #expect(Set(poll.messages.map(\.data)) == ["2", "3", "4"])
            let again: Poll = try await Curl.json(["\(first.clientURL)/v1/poll?\(query)&since=\(poll.cursor)&wait=0"])
            #expect(again.messages.isEmpty && again.gap == nil)
        }

        @Test func aClientPublishesWhatIsOpened() async throws {
            let node = try await NodeProcess.alone(options: ["--client-publish", "chat"])
            let socket = try await RawWebSocket(node, user: "speaker")
            let listener = try PythonWebSockets(["ws://127.0.0.1:\(node.client)/v1/ws?channels=chat:1"]).sockets[0]
            try await listener.waitUntilAttached()
            func next() async throws -> String {
                while true {
                    let text = String(decoding: try await socket.frame().payload, as: UTF8.self)
                    if !text.contains(#""event":"attached""#) { return text }
                }
            }
            func say(_ text: String) async throws -> String {
                try await socket.connection.send(RawWebSocket.masked(0x81, Array(text.utf8)))
                return try await next()
            }
            let answer = try await say(#"{"publish":{"channel":"chat:1","data":{"text":"hi"},"idempotencyKey":"k"},"ref":{"n":7}}"#)
            #expect(answer.hasPrefix(#"{"event":"receipt","ref":{"n":7},"receipt":{"channel":"chat:1","seq":1,"#))
            let again = try await say(#"{"publish":{"channel":"chat:1","data":{"text":"hi"},"idempotencyKey":"k"}}"#)
            #expect(again.hasPrefix(#"{"event":"receipt","receipt":{"#) && again.hasSuffix(#","repeated":true}}"#))
            for (command, code) in [
                (#"{"publish":{"channel":"other","data":1},"ref":"a"}"#, "forbidden"),
                (#"{"publish":{"user":"bob","data":1},"ref":"a"}"#, "forbidden"),
                (#"{"publish":{"channel":"chat"},"ref":"a"}"#, "bad_parameter"), (#"{"publish":{"data":1},"ref":"a"}"#, "bad_name"),
                (#"{"publish":[],"ref":"a"}"#, "bad_json"),
            ] {
                #expect(try await say(command).hasPrefix(#"{"event":"error","ref":"a","error":{"code":"\#(code)""#), "\(command)")
            }
            #expect(
                try await say(#"{"publish":{"channel":"chat","data":1},"ref":"\#(String(repeating: "x", count: 65))"}"#).contains(
                    "bad_parameter"))
            // One that doesn't know when to stop is slowed down, and nobody else.
            for _ in 0..<150 {
                try await socket.connection.send(RawWebSocket.masked(0x81, Array(#"{"publish":{"channel":"chat:2","data":0}}"#.utf8)))
            }
            var receipts = 0
            var refusals = 0
            while receipts + refusals < 150 {
                let text = try await next()
                if text.contains(#""event":"receipt""#) { receipts += 1 }
                if text.contains(#""code":"too_fast""#) || text.contains(#""code":"overloaded""#) { refusals += 1 }
            }
            #expect(receipts > 0 && refusals > 0)
            #expect(try await node.publish("from a producer", onChannel: "chat:1").seq == 2)
            #expect(try await listener.messages(2).map(\.seq) == [1, 2])
        }

        @Test func theDeathOfAChannelsOwnerIsNotNoticed() async throws {
            let cluster = try await Cluster.start()
            let owner = try await cluster.nodes[0].publish("0", onChannel: "lasting").owner
            let others = cluster.nodes.filter { $0.id != owner }
            let query = "channels=lasting&since=earliest"
            let sockets = try PythonWebSockets(others.map { "ws://127.0.0.1:\($0.client)/v1/ws?\(query)" })
            let sources = try NodeEventSources(others.map { "\($0.clientURL)/v1/sse?\(query)" })
            let listeners = sockets.sockets + sources.sockets
            for listener in listeners { _ = try await listener.messages(1) }
            try cluster.take(owner).kill()
            for number in 1...5 {
                // Until the session is over nobody may speak for the channel: the producer tries again.
                try await eventually(within: 30, "a receipt") {
                    (try? await others[number % 2].publish("\(number)", onChannel: "lasting", key: "k\(number)")) != nil
                }
            }
            for listener in listeners {
                #expect(try await listener.messages(6).map(\.data) == ["0", "1", "2", "3", "4", "5"], "\(listener.name)")
                let events = try listener.events()
                #expect(events.gaps.isEmpty && events.closes.isEmpty && events.messages.map(\.seq) == Array(1...6), "\(listener.name)")
            }
        }

        /// Where a channel can't be heard for ten seconds its sockets are sent away. Who comes back there hears it again, though others
        /// are still expected to poll.
        @Test func whoComesBackAfterALongSilenceHearsAgain() async throws {
            let cluster = try await Cluster.start(sessionTimeoutMilliseconds: 15_000, tickTimeMilliseconds: 1_000)
            let owner = try await cluster.nodes[0].publish("0", onChannel: "silent").owner
            let node = try cluster.nodes.first { $0.id != owner } ?? { throw HarnessError("one node only") }()
            let urls = (0..<8).map { _ in "ws://127.0.0.1:\(node.client)/v1/ws?channels=silent" }
            let before = try PythonWebSockets(urls)
            for socket in before.sockets { try await socket.waitUntilAttached() }
            // Connections are spread over the node's event loops.
            let polls = try (0..<8).map {
                try ChildProcess("curl", arguments: ["-s", "\(node.clientURL)/v1/poll?user=p\($0)&channels=silent&wait=60"])
            }
            try await eventually(within: 30, "all listen") { try await node.metrics()["ringpost_channel_listeners"] == 16 }
            try cluster.take(owner).kill()
            for socket in before.sockets {
                let closes = try await socket.wait("sent away", seconds: 60) { !$0.closes.isEmpty }.closes
                #expect(closes.allSatisfy { $0.hasPrefix("4009 resume: owner_unreachable") }, "\(closes)")
            }
            for poll in polls { _ = try await poll.waitForExit(deadlineSeconds: 60) }
            try await eventually(within: 60, "another owner") {
                (try? await node.publish("1", onChannel: "silent", key: "k1")) != nil
            }
            let after = try PythonWebSockets(urls.map { "\($0)&since=earliest" })
            for socket in after.sockets { _ = try await socket.messages(2) }
            _ = try await node.publish("2", onChannel: "silent")
            for socket in after.sockets { #expect(try await socket.messages(3).map(\.data) == ["0", "1", "2"], "\(socket.name)") }
        }

        @Test func aBatchAndACommandReachAChannel() async throws {
            let cluster = try await Shared.cluster()
            let node = cluster.nodes[0]
            let listening = try RingpostProgram.start([
                "listen", "--channel", "batch", "--channel", "other", "--url", cluster.nodes[1].clientURL, "--json",
            ])
            try await eventually(within: 20, "listening") { listening.output.components(separatedBy: "listening to").count > 2 }
            let lines =
                #"{"channel":"batch","data":1}"# + "\n" + #"{"channel":"batch","user":"x","data":2}"# + "\n" + #"{"user":"x","data":3}"#
            let answer = try await Curl.run(["--data-binary", lines, "\(node.apiURL)/v1/messages"])
            #expect(
                answer.contains(#"{"channel":"batch","seq":1"#) && answer.contains("bad_name") && answer.contains(#"{"user":"x","seq":"#))
            let send = try await RingpostProgram.run(["send", "--channel", "batch", "--api", node.apiURL, "hello"])
            #expect(send.status == 0)
            try await eventually(within: 20, "both messages") { listening.output.contains(#""channel":"batch","data":"hello"}"#) }
            #expect(listening.output.contains(#""channel":"batch","data":1}"#))
        }
    }
}

/// What a publish on a channel is answered.
private struct ChannelReceipt: Decodable {
    let channel: String
    let seq: Int
    let owner: String
    let outcome: String
}

extension NodeProcess {
    fileprivate func publish(_ text: String, onChannel channel: String, key: String? = nil) async throws -> ChannelReceipt {
        let header = key.map { ["-H", "Idempotency-Key: \($0)"] } ?? []
        return try await Curl.json(header + ["-d", text, "\(apiURL)/v1/channels/\(channel.percentEncoded)/messages"])
    }
}
