// A crowd of clients at a node that takes only so many: each is told when to come back in the words of its transport, and
// clients that obey get in. And what clients are told by a node that stops: where to go.

import Foundation
import RingpostClient
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Admission {
        /// Two event loops, each with half of it.
        private static func slowNode(rate: Int, burst: Int = 4) async throws -> NodeProcess {
            try await NodeProcess.alone(options: ["--connect-rate", "\(rate)", "--connect-burst", "\(burst)"])
        }

        /// Asks again and again until the answer is no. At one a second that is soon, however slow the machine.
        private static func untilTurnedAway<Value>(_ what: String, _ body: () async throws -> Value?) async throws -> Value {
            for _ in 1...50 {
                if let value = try await body() { return value }
            }
            throw HarnessError("50 times nobody was turned away: \(what)")
        }

        private static func number(after name: String, in text: String) -> Int? {
            text.firstRange(of: name).flatMap { Int(text[$0.upperBound...].prefix { $0.isNumber }) }
        }

        @Test func webSocketsAreToldInTheCloseReason() async throws {
            let node = try await Self.slowNode(rate: 2)
            let sockets = try PythonWebSockets((0..<40).map { node.webSocketURL("ws-\($0)") }).sockets
            var waits: [Int] = []
            for socket in sockets {
                let events = try await socket.wait("in or out") { !$0.closes.isEmpty || !$0.cursors.isEmpty }
                guard let close = events.closes.first else { continue }
                #expect(close.hasPrefix("4013 resume: try_later; after="), "\(close)")
                waits.append(try #require(Self.number(after: "after=", in: close)))
            }
            #expect(waits.count >= 20, "it takes a while to come, and two a second get in")
            #expect(waits.allSatisfy { (250...60_000).contains($0) })
            // Each loop spreads its own: at most a few are told the same.
            #expect(Set(waits).count >= waits.count / 4, "\(waits.sorted())")
            #expect((waits.max() ?? 0) >= 1_000)
            let metrics = try await node.metrics()
            #expect(metrics[#"ringpost_admissions_total{decision="deferred"}"#] == Double(waits.count))
            #expect(metrics[#"ringpost_admissions_total{decision="admitted"}"#] == Double(sockets.count - waits.count))
            #expect(metrics[#"ringpost_sockets_opened_total{transport="ws"}"#] == Double(sockets.count - waits.count))
            try await eventually(within: 20, "the others are gone") {
                try await node.metrics()[#"ringpost_sockets{transport="ws"}"#] == Double(sockets.count - waits.count)
            }
        }

        @Test func eventSourcesComeBackByThemselvesWhenTheyAreAskedTo() async throws {
            let node = try await Self.slowNode(rate: 5)
            let sources = try NodeEventSources((0..<30).map { node.eventStreamURL("sse-\($0)") }).sockets
            for source in sources {
                try await source.wait("attached", seconds: 60) {
                    try node.requireRunning()
                    return !$0.cursors.isEmpty
                }
            }
            let closes = try sources.flatMap { try $0.events().closes }
            #expect(!closes.isEmpty)
            for close in closes {
                #expect(close.hasPrefix(#"{"code":"try_later","advice":"resume","after":"#), "\(close)")
            }
            // Whoever obeys comes back few times, also where appointments are missed because the machine is slow.
            let deferred = try await node.metrics()[#"ringpost_admissions_total{decision="deferred"}"#]
            #expect(deferred == Double(closes.count))
            #expect(deferred <= Double(10 * sources.count), "\(deferred)")
        }

        @Test func anEventStreamCarriesTheTimeAsRetry() async throws {
            let node = try await Self.slowNode(rate: 1)
            let (curl, close) = try await Self.untilTurnedAway("curl -N") {
                let curl = try CurlStream(node.eventStreamURL("late"))
                let events = try await curl.wait("in or out") { !$0.isEmpty }
                return events.closes.first.map { (curl, $0) }
            }
            #expect(curl.head().hasPrefix("http/1.1 200"))
            let retry = try #require(Self.number(after: "retry: ", in: curl.stream()))
            #expect(retry >= 750)
            #expect(close == #"{"code":"try_later","advice":"resume","after":\#(retry)}"#)
            #expect(try await curl.process.waitForExit(deadlineSeconds: 20) == 0, "the stream ends in order")
        }

        @Test func pollsThatWaitAreAnsweredWithRetryAfter() async throws {
            let node = try await Self.slowNode(rate: 1)
            func turnedAway(_ headers: [String: String] = [:]) async throws -> HTTPAnswer {
                try await Self.untilTurnedAway("polls") {
                    let answer = try await RawConnection.exchange(
                        port: node.client, "GET", "/v1/poll?user=late&since=earliest&wait=1", headers: headers)
                    return answer.status == 200 ? nil : answer
                }
            }
            try await node.publish("an answer at once", to: "late")
            let answer = try await turnedAway()
            #expect(answer.status == 503)
            #expect(answer.errorCode == "overloaded")
            let seconds = try #require(answer.headers["retry-after"].flatMap { Int($0) })
            let milliseconds = try #require(Self.number(after: #""retryAfterMilliseconds":"#, in: answer.text))
            #expect(milliseconds >= 250 && seconds * 1_000 >= milliseconds && seconds * 1_000 < milliseconds + 1_000)
            let page = try await turnedAway(["Origin": "http://localhost"])
            #expect(page.headers["access-control-expose-headers"] == "Retry-After", "a page may read it")
            // What holds nothing is let in always, and a stock client that knows Retry-After gets what it came for.
            #expect(try await node.poll("user=late&wait=0").messages.isEmpty)
            let output = try await Curl.run(["--retry", "20", node.pollURL("late") + "&since=earliest&wait=1"])
            #expect(output.split(separator: "\n").last?.contains("an answer at once") == true, "\(output)")
        }

        @Test(arguments: [Subscriber.Transport.webSocket, .eventStream, .longPoll])
        func subscribersObeyAndMissNothing(transport: Subscriber.Transport) async throws {
            let node = try await Self.slowNode(rate: 20, burst: 10)
            let users = (0..<40).map { "crowd-\($0)" }
            for user in users { try await node.publish("for \(user)", to: user) }
            let url = Endpoint(host: "127.0.0.1", port: node.client)
            let began = ContinuousClock.now
            try await withThrowingTaskGroup(of: Void.self) { group in
                for user in users {
                    group.addTask {
                        for try await event in Subscriber(urls: [url], user: user, transport: transport, since: "earliest") {
                            guard case .message(let message) = event else { continue }
                            #expect(message.text == "for \(user)")
                            return
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(ContinuousClock.now - began < .seconds(60))
            let deferred = try await node.metrics()[#"ringpost_admissions_total{decision="deferred"}"#]
            // A long poll's first question does not wait, and so got the message at once.
            #expect(transport == .longPoll ? deferred == 0 : deferred > 0)
            // A machine may be slow to come to an appointment, but nobody hammers.
            #expect(deferred <= Double(10 * users.count), "\(deferred)")
        }

        @Test func aNodeThatStopsSaysWhereToGo() async throws {
            let cluster = try await Cluster.start(weights: [100])
            let leaving = try NodeProcess(
                "n2", zookeeper: cluster.zookeeper.connectString, options: ["--drain-seconds", "2"])
            try leaving.launch()
            cluster.putBack(leaving)
            try await cluster.settled()
            let staying = try cluster["n1"]
            let socket = try await leaving.webSocket("alice")
            let curl = try CurlStream(leaving.eventStreamURL("alice"))
            try await curl.waitUntilAttached()
            let poll = try ChildProcess("curl", arguments: ["-sS", leaving.pollURL("alice") + "&wait=60"])
            try await leaving.waitForSockets(3, of: "alice")
            let urls = [leaving, staying].map { Endpoint(host: "127.0.0.1", port: $0.client) }
            let listening = Task { try await Self.texts(Subscriber(urls: urls, user: "alice"), until: "after") }
            try await leaving.waitForSockets(4, of: "alice")
            leaving.terminate()
            let index = "127.0.0.1:\(staying.client)"
            let close = try #require(try await socket.wait("the goodbye") { !$0.closes.isEmpty }.closes.first)
            #expect(close.hasPrefix("1001 resume: going_away; after=") && close.hasSuffix("; at=\(index)"), "\(close)")
            let event = try #require(try await curl.wait("the goodbye") { !$0.closes.isEmpty }.closes.first)
            #expect(event.hasPrefix(#"{"code":"going_away","advice":"resume","after":"#), "\(event)")
            #expect(event.hasSuffix(#","at":"\#(index)"}"#), "\(event)")
            #expect(Self.number(after: "retry: ", in: String(curl.stream().suffix(200))) == Self.number(after: #""after":"#, in: event))
            #expect(try await poll.waitForExit(deadlineSeconds: 20) == 0)
            #expect(poll.output.contains(#""retryAfterMilliseconds":"#) && poll.output.contains(#","at":"\#(index)"}"#), "\(poll.output)")
            #expect(try await leaving.waitForExit(seconds: 60) == 0)
            _ = try cluster.take("n2")
            try await cluster.settled()
            try await staying.waitForSockets(1, of: "alice")
            try await staying.publish("after", to: "alice")
            #expect(try await listening.value == ["after"])
        }

        private static func texts(_ subscriber: Subscriber, until last: String) async throws -> [String] {
            var texts: [String] = []
            for try await event in subscriber {
                guard case .message(let message) = event else { continue }
                texts.append(message.text ?? "")
                if texts.last == last { break }
            }
            return texts
        }
    }
}
