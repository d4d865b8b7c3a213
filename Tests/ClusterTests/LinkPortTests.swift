// Strangers on the link port. Each is told in a sentence what differs, or is gone within seconds; the cluster does not notice.

import Foundation
import NIOCore
import RingpostCore
import RingpostWire
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct LinkPort {
        /// Sends a frame and returns the node's first one; `nil` if the node closes without a word.
        private static func answer(of node: NodeProcess, to frame: LinkFrame) async throws -> LinkFrame? {
            try await answer(on: RawConnection(port: node.link), to: frame)
        }

        private static func answer(on connection: RawConnection, to frame: LinkFrame) async throws -> LinkFrame? {
            var buffer = ByteBuffer()
            LinkEncoder.write(frame, into: &buffer)
            try await connection.send(Array(buffer.readableBytesView))
            let decoder = LinkDecoder()
            var answer: LinkFrame?
            try await eventually(within: 20, "an answer on the link port", pollMilliseconds: 5) {
                connection.readAvailable()
                var received = ByteBuffer(bytes: connection.received)
                answer = try decoder.next(&received)
                return answer != nil || connection.hasEnded
            }
            return answer
        }

        private struct Hello {
            var version = LinkProtocol.version
            var role = LinkHello.Role.node
            var cluster = "ringpost"
            var generation: UInt64
            var from = "stranger"
            var boot: UInt64 = 1
            var to: String
            var toBoot: UInt64
            var line: UInt16 = 0
            var dial: UInt64 = 1

            /// What a member would say to this node.
            init(to node: NodeReport, of ring: RingReport) throws {
                generation = try #require(UInt64(ring.generation, radix: 16))
                to = node.id
                toBoot = try #require(UInt64(node.boot ?? "", radix: 16))
            }

            var frame: LinkFrame {
                .hello(
                    LinkHello(
                        version: version, role: role, cluster: cluster, generation: generation, from: from, boot: boot, to: to,
                        toBoot: toBoot, line: line, dial: dial))
            }
        }

        @Test func strangersAreToldWhatDiffers() async throws {
            let cluster = try await Shared.cluster()
            let ring = try await cluster.settled()
            let node = try cluster["n1"]
            let before = try await node.metrics()
            let right = try Hello(to: ring.node("n1"), of: ring)
            func refusal(_ change: (inout Hello) -> Void) async throws -> String {
                var hello = right
                change(&hello)
                guard case .refuse(let sentence) = try await Self.answer(of: node, to: hello.frame) else { return "not refused" }
                return sentence
            }
            #expect(try await refusal { $0.version = 99 }.contains("version \(LinkProtocol.version), not 99"))
            #expect(try await refusal { $0.cluster = "other" }.contains(#"another cluster, not to "other""#))
            #expect(try await refusal { $0.generation ^= 1 }.contains("generation"))
            #expect(try await refusal { $0.from = "n1" }.contains(#"has the id "n1" itself"#))
            #expect(try await refusal { $0.to = "n2" }.contains(#"this node is "n1", not "n2""#))
            #expect(try await refusal { $0.toBoot ^= 1 }.contains("boot"))
            #expect(try await refusal { hello in (hello.role, hello.cluster) = (.producer, "other") }.contains("other"))
            #expect(try await node.metrics()["ringpost_bad_links_total"] >= before["ringpost_bad_links_total"] + 7)
            let picture = try await cluster.settled()
            #expect(picture.epoch == ring.epoch)
            try await Self.stillLinked(cluster)
        }

        @Test func aLaterConnectionEndsTheEarlierOne() async throws {
            let cluster = try await Shared.cluster()
            let ring = try await cluster.settled()
            let node = try cluster["n1"]
            var hello = try Hello(to: ring.node("n1"), of: ring)
            hello.from = "redials"
            func dial(_ number: UInt64, line: UInt16 = 0) async throws -> (connection: RawConnection, answer: LinkFrame?) {
                (hello.dial, hello.line) = (number, line)
                let connection = try RawConnection(port: node.link)
                return (connection, try await Self.answer(on: connection, to: hello.frame))
            }
            let first = try await dial(5)
            let other = try await dial(1, line: 1)
            let second = try await dial(6)
            for welcomed in [first, other, second] {
                guard case .welcome = welcomed.answer else {
                    Issue.record("no welcome: \(String(describing: welcomed.answer))")
                    continue
                }
            }
            try await eventually(within: 20, "the first one ends") {
                first.connection.readAvailable()
                return first.connection.hasEnded
            }
            hello.boot += 1
            let reborn = try await dial(1)
            guard case .welcome = reborn.answer else {
                Issue.record("no welcome: \(String(describing: reborn.answer))")
                return
            }
            try await eventually(within: 20, "that of the earlier boot ends") {
                second.connection.readAvailable()
                return second.connection.hasEnded
            }
            let late = try await dial(1)
            guard case .refuse(let sentence) = late.answer else {
                Issue.record("not refused: \(String(describing: late.answer))")
                return
            }
            #expect(sentence.contains("a later connection"))
            for kept in [other, reborn] {
                kept.connection.readAvailable()
                #expect(!kept.connection.hasEnded)
            }
        }

        @Test func aProbeIsToldWhoIsHere() async throws {
            let cluster = try await Shared.cluster()
            let ring = try await cluster.settled()
            var hello = try Hello(to: ring.node("n2"), of: ring)
            let boot = hello.toBoot
            (hello.role, hello.cluster, hello.generation, hello.to, hello.toBoot) = (.probe, "", 0, "", 0)
            guard case .welcome(let welcome) = try await Self.answer(of: cluster["n2"], to: hello.frame) else {
                Issue.record("no welcome")
                return
            }
            #expect(welcome.node == "n2")
            #expect(welcome.boot == boot)
            #expect(welcome.epoch == ring.epoch)
        }

        @Test func garbageAndSilenceAreSentAway() async throws {
            let cluster = try await Shared.cluster()
            let node = try cluster["n1"]
            let before = try await node.metrics()
            let silent = try RawConnection(port: node.link)
            let half = try RawConnection(port: node.link)
            try await half.send([40, 0, 0, 0, 1])
            let garbage: [[UInt8]] = [
                Array("GET / HTTP/1.1\r\n\r\n".utf8), [0, 0, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF, 1], [1, 0, 0, 0, 0xEE],
                [1, 4, 0, 0, 1], [5, 0, 0, 0, 1, 1, 2, 3, 4], Array(repeating: 7, count: 100_000),
            ]
            for bytes in garbage {
                let connection = try RawConnection(port: node.link)
                try await connection.send(bytes)
                _ = try await connection.receiveToEnd(seconds: 20)
            }
            #expect(try await silent.receiveToEnd(seconds: 10).isEmpty)
            #expect(try await half.receiveToEnd(seconds: 10).isEmpty)
            try await eventually(within: 20, "each is counted") {
                try await node.metrics()["ringpost_bad_links_total"] >= before["ringpost_bad_links_total"] + Double(garbage.count + 2)
            }
            try await Self.stillLinked(cluster)
        }

        @Test func aProducerThatSendsNodesFramesIsSentAway() async throws {
            let cluster = try await Shared.cluster()
            let ring = try await cluster.settled()
            let node = try cluster["n3"]
            var hello = try Hello(to: ring.node("n3"), of: ring)
            (hello.role, hello.cluster) = (.producer, "")
            let connection = try RawConnection(port: node.link)
            var buffer = ByteBuffer()
            LinkEncoder.write(hello.frame, into: &buffer)
            try await connection.send(Array(buffer.readableBytesView))
            try await connection.receive("a welcome", seconds: 20) { !$0.isEmpty }
            buffer.clear()
            let name = Array("producer".utf8)
            for produce in [
                LinkProduce(request: 1, kind: .user, name: name, isJSON: false, data: Array("hi".utf8)),
                LinkProduce(request: 2, kind: .user, name: [0], isJSON: false, data: []),
                LinkProduce(request: 3, kind: .user, name: name, isJSON: true, data: [0x7B]),
            ] { LinkEncoder.write(.produce(produce), into: &buffer) }
            LinkEncoder.write(.ask(request: 1, .status, argument: []), into: &buffer)
            try await connection.send(Array(buffer.readableBytesView))
            var received = ByteBuffer(bytes: try await connection.receiveToEnd(seconds: 20))
            var decoder = LinkDecoder()
            decoder.frameBytesMax = LinkProtocol.frameBytesMax
            var frames: [LinkFrame] = []
            while let frame = try decoder.next(&received) { frames.append(frame) }
            guard case .welcome = frames.first, case .refuse(let sentence) = frames.last else {
                Issue.record("\(frames)")
                return
            }
            #expect(sentence.contains("a frame that a producer doesn't send"))
            try await eventually(within: 20, "what it published before arrives") {
                try await node.poll("user=producer&since=earliest&wait=0").messages.map(\.data) == ["hi"]
            }
            try await Self.stillLinked(cluster)
        }

        /// Every node reaches every owner, and no link broke.
        private static func stillLinked(_ cluster: Cluster) async throws {
            let users = try await cluster.users("linked", ownedBy: cluster.nodes.map(\.id))
            for node in cluster.nodes {
                for (owner, names) in users { #expect(try await node.publish("x", to: names[0]).owner == owner) }
                let metrics = try await node.metrics()
                #expect(metrics[#"ringpost_links{state="down"}"#] == 0)
                #expect(metrics["ringpost_alarms_total"] == 0)
            }
        }
    }
}
