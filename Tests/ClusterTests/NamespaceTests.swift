// Namespaces at real nodes: the file, what clients with tokens may do by it, quotas, and how operators see that two nodes have two files.

import Foundation
import RingpostWire
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Namespaces {
        private static func file(_ json: String) throws -> (folder: TemporaryFolder, options: [String]) {
            let folder = try TemporaryFolder("namespaces")
            try folder.write(json, to: "namespaces.json")
            return (folder, ["--namespaces", folder.file("namespaces.json")])
        }

        @Test func clientsMayDoWhatTheirTokenOrTheNamespaceSays() async throws {
            let issuer = try Issuer()
            let (folder, options) = try Self.file(
                #"{"open":{"subscribe":"tokens","publish":"tokens","presence":false},"closed":{"subscribe":"nobody"}}"#)
            let node = try await NodeProcess.alone(options: options + issuer.options)
            let token = try issuer.token("alice", #""subscribe":["inbox:{user}","closed:1"],"presence":["*"]"#)
            func status(_ query: String) async throws -> Int { try await node.ask("/v1/poll?\(query)&wait=0", token: token).status }
            #expect(try await status("channels=open:1,inbox:alice,closed:1") == 200)
            #expect(try await status("channels=inbox:bob") == 403)
            #expect(try await status("channels=closed:2") == 403)
            #expect(try await status("channels=room") == 403)
            #expect(try await node.ask("/v1/poll?channels=open:1&wait=0").status == 401, "a namespace is no token")
            let socket = try await RawWebSocket.open(node, token: token)
            try await socket.say(#"{"subscribe":[{"channel":"open:1","presence":true}]}"#)
            #expect(try await socket.hear("forbidden").contains("shows nobody who is there"))
            try await socket.say(#"{"subscribe":["open:1"]}"#)
            try await socket.hear("attached")
            try await socket.say(#"{"publish":{"channel":"open:1","data":"hello"}}"#)
            try await socket.hear(#""channel":"open:1","from":{"user":"alice"},"data":"hello""#)
            try await socket.say(#"{"publish":{"channel":"closed:1","data":"hello"}}"#)
            try await socket.hear("forbidden")
            #expect(try await node.metrics()[#"ringpost_namespace_refused_total{reason="presence"}"#] == 1)
            withExtendedLifetime(folder) {}
        }

        @Test func tokensThatWereMadeForOthers() async throws {
            let issuer = try Issuer()
            let node = try await NodeProcess.alone(options: issuer.options + ["--token-claims", "centrifugo", "--token-claims", "mercure"])
            let token = try issuer.token(
                "alice", #""channels":["news"],"subs":{"game:1":{}},"mercure":{"subscribe":["https://example.com/books/1"]}"#)
            let topic = "https://example.com/books/1".percentEncoded
            for channel in ["news", "game:1", topic] {
                #expect(try await node.ask("/v1/poll?channel=\(channel)&wait=0", token: token).status == 200, "\(channel)")
            }
            #expect(try await node.ask("/v1/poll?channel=game:2&wait=0", token: token).status == 403)
            let bad = try await node.ask("/v1/poll?channel=a&wait=0", token: issuer.token("alice", #""mercure":{"subscribe":["a/{b}"]}"#))
            #expect(bad.status == 401 && bad.text.contains("URI templates are not taken"), "\(bad.text)")
        }

        @Test func quotasHoldAndOthersDoNotNotice() async throws {
            // Two loops: half of it each.
            let (folder, options) = try Self.file(#"{"small":{"channels":20,"rate":5,"history":{"messages":3},"payload":100}}"#)
            let node = try await NodeProcess.alone(options: options)
            func post(_ channel: String, _ text: String = "1") async throws -> HTTPAnswer {
                try await node.order("POST", "/v1/channels/\(channel)/messages", text)
            }
            var answers: [HTTPAnswer] = []
            for number in 0..<60 { answers.append(try await post("small:\(number)")) }
            let taken = answers.filter { $0.status == 200 }.count
            #expect((10...20).contains(taken), "\(taken)")
            #expect(answers.last { $0.status != 200 }?.text.contains(#"the namespace \"small\""#) == true)
            for number in 0..<60 { #expect(try await post("other:\(number)").status == 200) }
            #expect(try await post("small:0", String(repeating: "1", count: 101)).status == 413)
            let refused = try await node.metrics()
            #expect(refused[#"ringpost_namespace_refused_total{reason="channels"}"#] == Double(60 - taken))
            #expect(refused[#"ringpost_namespace_refused_total{reason="payload"}"#] == 1)
            withExtendedLifetime(folder) {}
        }

        @Test func aFileThatMakesNoSenseIsRefused() async throws {
            let (folder, options) = try Self.file(#"{"chat":{"history":{"messages":-1}}}"#)
            let bad = try await RingpostProgram.run(["node"] + options)
            #expect(bad.status != 0 && bad.output.contains("\"history.messages\" of \"chat\" must be a whole number"), "\(bad.output)")
            let missing = try await RingpostProgram.run(["node", "--namespaces", folder.file("none.json")])
            #expect(missing.status != 0 && missing.output.contains("there is no such file"), "\(missing.output)")
        }

        @Test func twoFilesInOneClusterAreSeen() async throws {
            let (folder, options) = try Self.file(#"{"chat":{"rate":5}}"#)
            let cluster = try await Cluster.start(weights: [100, 100]) { $0 == "n1" ? options : [] }
            let shown = try await RingpostProgram.run(["nodes", "--api", cluster.nodes[1].apiURL])
            #expect(shown.output.contains("different namespaces: give all of them the same file"), "\(shown.output)")
            let report: NodesReport = try await RawConnection.exchange(port: cluster.nodes[0].api, "GET", "/v1/nodes").json()
            #expect(report.nodes.map { $0.namespaces?.count } == [16, nil])
            withExtendedLifetime(folder) {}
        }
    }
}
