// An upgrade as docs/guide/operating.md says it: one node after the other is stopped, replaced and started, while clients listen and a producer
// publishes. No publish fails, and nobody misses anything or hears it twice.

import Foundation
import RingpostClient
import Synchronization
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Upgrade {
        /// Slots are handed over by a debug build, on a busy machine.
        private static let stopSecondsMax = 200.0
        private static let listeners = 12

        /// What one client has heard.
        private final class Ear: Sendable {
            private struct State {
                var heard: [String] = []
                var gaps = 0
                var attached = 0
                var lastSequence: [String: UInt64] = [:]
                var faults: [String] = []
            }
            private let state = Mutex(State())
            let name: String

            init(_ name: String) { self.name = name }

            var heard: [String] { state.withLock { $0.heard } }
            var gaps: Int { state.withLock { $0.gaps } }
            /// To its user, and to the channel.
            var isAttached: Bool { state.withLock { $0.attached >= 2 } }
            var faults: [String] { state.withLock { $0.faults } }

            func listen(_ nodes: [NodeProcess]) async throws {
                let urls = try nodes.map { try Endpoint($0.clientURL) }
                let subscriber = Subscriber(urls: urls, user: name, channels: ["all"], transport: .webSocket)
                for try await event in subscriber { take(event) }
            }

            private func take(_ event: SubscriberEvent) {
                state.withLock { state in
                    switch event {
                    case .attached, .listening: state.attached += 1
                    case .gap, .channelGap: state.gaps += 1
                    case .message(let message):
                        let last = state.lastSequence[message.channel ?? "", default: message.sequence - 1]
                        if message.sequence != last + 1 {
                            state.faults.append("\(message.channel ?? name): #\(message.sequence) after #\(last)")
                        }
                        state.lastSequence[message.channel ?? ""] = message.sequence
                        state.heard.append(message.text ?? "")
                    default: break
                    }
                }
            }
        }

        /// What a producer has sent, and what came of it.
        private final class Ledger: Sendable {
            private let state = Mutex((sent: [String: [String]](), failed: [String]()))

            func add(_ text: String, to name: String) { state.withLock { $0.sent[name, default: []].append(text) } }
            func fail(_ sentence: String) { state.withLock { $0.failed.append(sentence) } }
            func sent(to name: String) -> [String] { state.withLock { $0.sent[name] ?? [] } }
            var failed: [String] { state.withLock { $0.failed } }
            var count: Int { state.withLock { $0.sent.values.reduce(0) { $0 + $1.count } } }
        }

        /// To every user and to the channel, over and over, with as many under way.
        private static func publish(_ nodes: [NodeProcess], to users: [String], _ ledger: Ledger) async throws {
            let producer = Producer(api: try nodes.map { try Endpoint($0.apiURL) })
            var round = 0
            while !Task.isCancelled {
                round += 1
                await withTaskGroup { group in
                    for destination in users.map(Producer.Destination.user) + [.channel("all")] {
                        group.addTask { [round] in
                            let (name, text) = (destination.isAll ? "all" : destination.user, "\(round)")
                            do {
                                _ = try await producer.send(.text("\(name) \(text)"), to: destination)
                                ledger.add("\(name) \(text)", to: name)
                            } catch { ledger.fail("\(name) \(text): \(error)") }
                        }
                    }
                }
                try? await Task.sleep(for: .milliseconds(20))
            }
        }

        @Test(.timeLimit(.minutes(8))) func oneNodeAfterTheOtherWithTraffic() async throws {
            let cluster = try await Cluster.start()
            let nodes = cluster.nodes
            let ears = (0..<Self.listeners).map { Ear("passenger-\($0)") }
            let ledger = Ledger()
            let listening = ears.enumerated().map { number, ear in
                // Each begins at another node.
                Task { try await ear.listen(Array(nodes[(number % 3)...] + nodes[..<(number % 3)])) }
            }
            try await eventually(within: 30, "all listen") { ears.allSatisfy(\.isAttached) }
            let publishing = Task { try await Self.publish(nodes, to: ears.map(\.name), ledger) }
            try await eventually(within: 30, "messages flow") { ledger.count > 100 }
            for node in nodes {
                let before = ledger.count
                node.terminate()
                #expect(try await node.waitForExit(seconds: Self.stopSecondsMax) == 0, "\(node.log)")
                try await node.start()
                try await cluster.settled()
                try await cluster.whole()
                #expect(ledger.count > before, "the producer goes on meanwhile")
            }
            publishing.cancel()
            try await publishing.value
            #expect(ledger.failed == [], "failed publishes")
            #expect(ledger.count > 300)
            try await eventually(within: 30, "all has arrived") {
                ears.allSatisfy { $0.heard.count >= ledger.sent(to: $0.name).count + ledger.sent(to: "all").count }
            }
            for task in listening { task.cancel() }
            for ear in ears {
                #expect(ear.gaps == 0 && ear.faults == [], "\(ear.name): \(ear.gaps) gaps, \(ear.faults)")
                let own = ear.heard.filter { !$0.hasPrefix("all ") }
                #expect(own == ledger.sent(to: ear.name), "\(ear.name)")
                #expect(ear.heard.filter { $0.hasPrefix("all ") } == ledger.sent(to: "all"), "\(ear.name)")
            }
        }
    }
}

extension Producer.Destination {
    fileprivate var isAll: Bool { if case .channel = self { true } else { false } }
    fileprivate var user: String { if case .user(let name) = self { name } else { "" } }
}
