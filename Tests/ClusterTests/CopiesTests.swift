// How many copies a cluster keeps. With three, any two nodes may die at once; with one, nobody mirrors; who was told another number says so.

import Foundation
import RingpostClient
import RingpostCore
import Synchronization
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Copies {
        /// How long a producer goes on trying to send one message.
        private static let attemptsMax = 20

        /// What the producer of one user has been told is done, in this order.
        private final class Diary: Sendable {
            private struct State {
                var done: [String] = []
                var receipt: SendReceipt?
                var faults: [String] = []
                var isOver = false
            }
            private let state = Mutex(State())
            let user: String

            init(_ user: String) { self.user = user }

            var done: [String] { state.withLock { $0.done } }
            var count: Int { state.withLock { $0.done.count } }
            var last: SendReceipt? { state.withLock { $0.receipt } }
            var faults: [String] { state.withLock { $0.faults } }
            var isOver: Bool { state.withLock { $0.isOver } }
            func end() { state.withLock { $0.isOver = true } }

            /// One message after the other, each with a key of its own and as often as it takes, until there is a receipt.
            func write(_ producer: Producer) async {
                while !isOver {
                    let number = count + 1
                    let text = "\(user) \(number)"
                    guard let receipt = await receipt(text, producer) else { return }
                    state.withLock { state in
                        state.done.append(text)
                        state.receipt = receipt
                        if receipt.sequence != UInt64(number) { state.faults.append("\(text) is #\(receipt.sequence)") }
                        if !receipt.isMirrored { state.faults.append("\(text) is not mirrored") }
                    }
                    try? await Task.sleep(for: .milliseconds(50))
                }
            }

            private func receipt(_ text: String, _ producer: Producer) async -> SendReceipt? {
                var last = ""
                for _ in 0..<Copies.attemptsMax {
                    do throws(ProducerError) {
                        return try await producer.send(.text(text), to: .user(user), idempotency: .key(text))
                    } catch {
                        last = "\(error)"
                        if !error.isWorthARepeat { break }
                    }
                }
                state.withLock { $0.faults.append("\(text) has no receipt: \(last)") }
                return nil
            }
        }

        /// Users of whose slots these two have all but one copy, in each way that can be, and users of others.
        private static func users(_ pair: Set<String>, in cluster: Cluster) async throws -> [String] {
            var found: [[Bool]: String] = [:]
            let ways: Set<[Bool]> = [[true, true, false], [true, false, true], [false, true, true]]
            for number in 0..<500 where !ways.isSubset(of: Set(found.keys)) {
                let user = "of-\(pair.sorted().joined(separator: "-and-"))-\(number)"
                let report = try await cluster.nodes[0].user(user)
                let holders = [report.owner ?? ""] + report.next.prefix(2)
                found[holders.map(pair.contains)] = user
            }
            guard ways.isSubset(of: Set(found.keys)) else { throw HarnessError("no users for \(pair): \(found)") }
            return found.values.sorted()
        }

        /// Kills both while messages come. Sockets on the other two hear everything from the beginning, and go on.
        private static func kill(_ pair: [String], in cluster: Cluster, _ diaries: [Diary]) async throws {
            let dead = try pair.map { try cluster.take($0) }
            let seats = cluster.nodes.flatMap { node in diaries.map { (node: node, diary: $0) } }
            let sockets = try PythonWebSockets(seats.map { $0.node.webSocketURL($0.diary.user, since: "earliest") }).sockets
            for socket in sockets { try await socket.waitUntilAttached() }
            for node in dead { node.kill() }
            let marks = diaries.map(\.count)
            try await eventually(within: 90, "messages to all users are acknowledged with two of four") {
                zip(diaries, marks).allSatisfy { $0.count >= $1 + 5 || !$0.faults.isEmpty }
            }
            for diary in diaries {
                #expect(diary.faults == [], "\(diary.user)")
                #expect(diary.last?.copies == 2, "\(diary.user): there are only two nodes")
            }
            for (socket, seat) in zip(sockets, seats) {
                let done = seat.diary.done
                let messages = try await socket.messages(done.count)
                #expect(messages.prefix(done.count).map(\.data) == done, "\(seat.diary.user) on \(seat.node.id)")
                #expect(messages.map(\.seq) == Array(1...messages.count), "\(seat.diary.user) on \(seat.node.id)")
                let events = try socket.events()
                #expect(
                    events.gaps.isEmpty && events.closes.isEmpty, "\(seat.diary.user) on \(seat.node.id): \(events.gaps) \(events.closes)")
            }
            for node in dead {
                try node.launch()
                cluster.putBack(node)
            }
            try await threeOfEach(in: cluster, diaries)
        }

        private static func threeOfEach(in cluster: Cluster, _ diaries: [Diary]) async throws {
            try await cluster.settled()
            try await cluster.whole()
            let marks = diaries.map(\.count)
            try await eventually(within: 30, "three nodes have what comes now") {
                zip(diaries, marks).allSatisfy { $0.count > $1 + 1 && $0.last?.copies == 3 }
            }
        }

        @Test(.timeLimit(.minutes(8))) func anyTwoOfFourMayDieAtOnceWithThree() async throws {
            let cluster = try await Cluster.start(weights: [100, 100, 100, 100]) { _ in
                // Sockets begin at the beginning.
                ["--copies", "3", "--history-messages", "10000"]
            }
            let pairs = [["n4", "n2"]]
            var names: [String] = []
            for pair in pairs { names += try await Self.users(Set(pair), in: cluster) }
            let diaries = names.map { Diary($0) }
            let producer = Producer(api: try cluster.nodes.map { try Endpoint($0.apiURL) })
            let writing = diaries.map { diary in Task { await diary.write(producer) } }
            try await Self.threeOfEach(in: cluster, diaries)
            for pair in pairs { try await Self.kill(pair, in: cluster, diaries) }
            for diary in diaries { diary.end() }
            for task in writing { await task.value }
            #expect(diaries.flatMap(\.faults) == [])
            let ring = try #require(try await cluster.nodes[0].ring())
            #expect(ring.copies == 3)
            let sent = try await RingpostProgram.run(["send", "by hand", "--user", names[0], "--api", cluster.nodes[2].apiURL])
            #expect(sent.output.contains("3 copies"), "\(sent.output)")
        }

        /// What docs/guide/operating.md says: whoever may write to ZooKeeper changes the number, and nodes that run go by it.
        private static func setCopies(_ copies: Int, in cluster: Cluster) async throws {
            let znode = "/ringpost/ringpost/ring"
            let printed = try await cluster.zookeeper.command(["get", znode])
            let line = printed.split(separator: "\n").first { $0.hasPrefix("{") } ?? ""
            let document = try ClusterDocument(json: Array(line.utf8), znode: znode).with(copies: copies)
            _ = try await cluster.zookeeper.command(["set", znode, String(decoding: document.json(), as: UTF8.self)])
        }

        @Test(.timeLimit(.minutes(8))) func runningNodesGoByAnotherNumber() async throws {
            let cluster = try await Cluster.start()
            try await cluster.whole()
            let diaries = (0..<9).map { Diary("changing-\($0)") }
            let sockets = try PythonWebSockets(diaries.map { try cluster["n1"].webSocketURL($0.user, since: "earliest") }).sockets
            for socket in sockets { try await socket.waitUntilAttached() }
            let producer = Producer(api: try cluster.nodes.map { try Endpoint($0.apiURL) })
            let writing = diaries.map { diary in Task { await diary.write(producer) } }
            for copies in [3, 2] {
                try await Self.setCopies(copies, in: cluster)
                for node in cluster.nodes {
                    try await node.waitForLog("the cluster keeps \(copies) copies of each slot from now on, not \(5 - copies)", seconds: 60)
                }
                try await eventually(within: 90, "\(copies) nodes have what comes now") { diaries.allSatisfy { $0.last?.copies == copies } }
                for node in cluster.nodes { #expect(try await node.ring()?.copies == (copies == 2 ? nil : copies)) }
            }
            for diary in diaries { diary.end() }
            for task in writing { await task.value }
            for (socket, diary) in zip(sockets, diaries) {
                #expect(diary.faults == [])
                let messages = try await socket.messages(diary.count)
                #expect(messages.map(\.data) == diary.done && messages.map(\.seq) == Array(1...diary.count), "\(diary.user)")
                let events = try socket.events()
                #expect(events.gaps.isEmpty && events.closes.isEmpty, "\(diary.user): \(events.gaps) \(events.closes)")
            }
        }

        @Test(.timeLimit(.minutes(5))) func withOneNobodyMirrorsAndWhatMovesTakesItsCopyAlong() async throws {
            let cluster = try await Cluster.start { _ in ["--copies", "1"] }
            try await cluster.whole()
            let moving = try await cluster.user("moving", ownedBy: "n2")
            let receipt = try await cluster["n1"].publish("before", to: moving)
            #expect(!receipt.mirrored && receipt.copies == nil && receipt.seq == 1)
            let leaving = try cluster.take("n2")
            leaving.terminate()
            #expect(try await leaving.waitForExit(seconds: 60) == 0, "\(leaving.log)")
            try await cluster.settled()
            #expect(try await cluster["n1"].publish("after", to: moving).seq == 2)
            let poll = try await cluster["n1"].poll("user=\(moving)&since=earliest&wait=0")
            #expect(poll.gap != true && poll.messages.map(\.data) == ["before", "after"])
            let ring = try await RingpostProgram.run(["ring", "--api", cluster["n1"].apiURL])
            #expect(ring.output.contains("copies 1"), "\(ring.output)")
        }

        @Test func whoWasToldAnotherNumberSaysSoAndGoesByTheClusters() async throws {
            let cluster = try await Cluster.start(weights: [100, 100]) { _ in ["--copies", "3"] }
            let other = try cluster.stranger("n3", options: ["--copies", "2"])
            try other.launch()
            cluster.putBack(other)
            try await other.waitForLog(
                "the cluster keeps 3 copies of each slot, as /ringpost/ringpost/ring says; the 2 that this node was told are for a cluster "
                    + "that it founds", seconds: 60)
            try await cluster.settled()
            try await cluster.whole()
            for node in cluster.nodes {
                #expect(try await node.ring()?.copies == 3)
                #expect(try await node.publish("1", to: "everybodys-\(node.id)").copies == 3)
            }
            #expect(!cluster.nodes[0].log.contains("this node was told"))
        }
    }
}
