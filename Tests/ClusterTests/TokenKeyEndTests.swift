// Keys for tokens come to an end: taken out of a node's files, or taken back by an operator for the whole cluster, with all that they have
// signed; and what a single node still knows after a restart.

import Crypto
import Foundation
import TestSupport
import Testing

/// Secrets in a directory, each named after its file.
private struct KeyFolder {
    private let folder: TemporaryFolder
    private let secrets: [String: SymmetricKey]

    /// Of a node that believes them.
    var options: [String] { ["--token-keys", folder.file("keys")] }

    init(_ names: String...) throws {
        folder = try TemporaryFolder("issuers")
        try FileManager.default.createDirectory(atPath: folder.file("keys"), withIntermediateDirectories: false)
        var secrets: [String: SymmetricKey] = [:]
        for name in names {
            let text = (0..<32).map { _ in String(UInt8.random(in: 0x61...0x7A), radix: 16) }.joined()
            secrets[name] = SymmetricKey(data: Data(text.utf8))
            try folder.write(text, to: "keys/\(name).hs256")
        }
        self.secrets = secrets
    }

    func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: folder.file("keys/\(name).hs256")) }

    func token(_ user: String, by name: String, kid: String? = nil, issuedAt: Int = Issuer.nowSeconds, seconds: Int = 300) throws -> String
    {
        let secret = try #require(secrets[name])
        func part(_ text: String) -> String { Self.base64(Data(text.utf8)) }
        let header = #"{"alg":"HS256"\#(kid == "" ? "" : #","kid":"\#(kid ?? name)""#)}"#
        let signed = part(header) + "." + part(#"{"sub":"\#(user)","exp":\#(issuedAt + seconds),"iat":\#(issuedAt)}"#)
        return signed + "." + Self.base64(Data(HMAC<SHA256>.authenticationCode(for: Data(signed.utf8), using: secret)))
    }

    private static func base64(_ data: Data) -> String {
        data.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}

extension ClusterTests {
    @Suite struct TokenKeyEnds {
        private static let renew = "4002 renew: token_expired"

        private static func status(_ node: NodeProcess, _ token: String) async throws -> Int {
            try await node.ask("/v1/poll?wait=0", token: token).status
        }

        @Test func aKeyThatIsTakenOutEndsWhatItHasLetIn() async throws {
            let keys = try KeyFolder("old", "new")
            let node = try await NodeProcess.alone(options: keys.options)
            let (old, new) = (try keys.token("alice", by: "old"), try keys.token("bob", by: "new"))
            let sockets = [try await RawWebSocket.open(node, token: old), try await RawWebSocket.open(node, token: old)]
            let stays = try await RawWebSocket.open(node, token: new)
            let stream = try CurlStream("\(node.clientURL)/v1/sse", headers: ["Authorization: Bearer \(old)"])
            try await stream.waitUntilAttached()
            let poll = try RawConnection(port: node.client)
            try await poll.send(RawConnection.request("GET", "/v1/poll?wait=50", headers: ["Authorization": "Bearer \(old)"]))
            try await node.waitForSockets(4, of: "alice")
            try keys.remove("old")
            node.hangUp()
            let began = ContinuousClock.now
            for socket in sockets { #expect(try await socket.close(seconds: 5) == Self.renew) }
            _ = try await stream.wait("its end", seconds: 5) { !$0.closes.isEmpty }
            #expect(try await poll.answer(seconds: 5).status == 401)
            print("a key's end has reached its sockets after \(ContinuousClock.now - began)")
            #expect(try await Self.status(node, old) == 401)
            #expect(try await Self.status(node, new) == 200)
            try await node.publish("still there", to: "bob")
            try await stays.hear("still there")
        }

        @Test func anOperatorTakesAKeyBackForAllNodes() async throws {
            let keys = try KeyFolder("lost", "kept")
            let options = keys.options
            let cluster = try await Cluster.start(weights: [100, 100]) { _ in options }
            let (lost, kept) = (try keys.token("alice", by: "lost"), try keys.token("alice", by: "kept"))
            // The key is found by trying: leaving its name out does not help.
            let nameless = try keys.token("alice", by: "lost", kid: "")
            var ending: [RawWebSocket] = []
            for node in cluster.nodes {
                for token in [lost, nameless] { ending.append(try await RawWebSocket.open(node, token: token)) }
            }
            let stays = try await RawWebSocket.open(cluster.nodes[1], token: kept)
            let command = ["revoke", "--api", cluster.nodes[0].apiURL]
            let revoked = try await RingpostProgram.run(command + ["--key-id", "lost"])
            #expect(revoked.status == 0 && revoked.output.contains("all tokens of the key lost are refused until"), "\(revoked.output)")
            for socket in ending { #expect(try await socket.close(seconds: 5) == Self.renew) }
            for node in cluster.nodes {
                for token in [lost, nameless, try keys.token("bob", by: "lost", issuedAt: Issuer.nowSeconds)] {
                    #expect(try await Self.status(node, token) == 401)
                }
                #expect(try await Self.status(node, kept) == 200)
                #expect(try await node.distrusted("outdated") > 0)
            }
            // Everybody's tokens until a time.
            let older = try keys.token("carol", by: "kept", issuedAt: Issuer.nowSeconds - 100)
            let socket = try await RawWebSocket.open(cluster.nodes[1], token: older)
            let time = "\(Issuer.nowSeconds - 50)"
            let order = try await RingpostProgram.run(command + ["--issued-before", time])
            #expect(order.status == 0 && order.output.contains("all tokens issued until"), "\(order.output)")
            #expect(try await socket.close(seconds: 5) == Self.renew)
            for node in cluster.nodes {
                #expect(try await Self.status(node, older) == 401)
                #expect(try await Self.status(node, kept) == 200)
            }
            try await cluster.nodes[0].publish("still there", to: "alice")
            try await stays.hear("still there")
            let list = try await RingpostProgram.run(["revoke", "--list", "--api", cluster.nodes[1].apiURL])
            #expect(list.output.contains("all tokens of the key lost") && list.output.contains("all tokens issued until"), "\(list.output)")
            // What makes no sense.
            for body in [
                #"{"issuedBefore":\#(Issuer.nowSeconds + 1_000)}"#, #"{"issuedBefore":-1}"#, #"{"key":""}"#, #"{"user":"a","key":"b"}"#,
                #"{"key":"a","token":"t"}"#, #"{"key":"\#(String(repeating: "k", count: 257))"}"#, #"{"user":"a","issuedBefore":1}"#,
            ] { #expect(try await cluster.nodes[0].order("POST", "/v1/revocations", body).status == 400, "\(body.prefix(60))") }
            for words in [["--key-id", "a", "alice"], [], ["--issued-before", "soon"], ["--key-id", "a", "--token-id", "t"]] {
                #expect(try await RingpostProgram.run(command + words).status == 64, "\(words)")
            }
        }

        @Test func aSingleNodeKeepsRevocationsInAFile() async throws {
            let keys = try KeyFolder("only")
            let folder = try TemporaryFolder("revocations")
            let token = try keys.token("alice", by: "only")
            let file = folder.file("revocations")
            for (options, status, isWarned) in [(["--revocations-file", file], 401, false), ([], 200, true)] {
                let node = try await NodeProcess.alone(options: keys.options + options)
                let revoked = try await RingpostProgram.run(["revoke", "alice", "--api", node.apiURL])
                #expect(revoked.status == 0 && revoked.output.contains("forgets them when it restarts") == isWarned, "\(revoked.output)")
                #expect(node.log.contains("forgets them when it restarts") == isWarned)
                #expect(try await Self.status(node, token) == 401)
                node.kill()
                try await node.start()
                #expect(try await Self.status(node, token) == status, "after a restart with \(options)")
            }
            try folder.write("nonsense\n", to: "revocations")
            let broken = try NodeProcess("n2", options: keys.options + ["--revocations-file", file])
            try broken.launch()
            #expect(try await broken.waitForExit(seconds: 60) == 1)
            #expect(broken.log.contains("a line 1 that is no revocation"), "\(broken.log)")
        }

        @Test func ordersAndRefusalsAreWrittenDown() async throws {
            let keys = try KeyFolder("only", "gone")
            let ring = try KeyRing([#""scopes":["administer"]"#, #""scopes":["read"]"#])
            let folder = try TemporaryFolder("audit")
            let path = folder.file("audit.jsonl")
            let node = try await NodeProcess.alone(options: keys.options + ring.options + ["--audit-log", path])
            func lines() -> [[String: Any]] {
                String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self).split(separator: "\n")
                    .compactMap { try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any] }
            }
            func line(_ members: [String: String]) async throws -> [String: Any] {
                try await eventually(within: 10, "a line with \(members) in \(lines())") {
                    lines().contains { line in members.allSatisfy { line[$0.key] as? String == $0.value } }
                }
                return lines().first { line in members.allSatisfy { line[$0.key] as? String == $0.value } } ?? [:]
            }
            let (admin, reader) = (String(repeating: "a", count: 12), String(repeating: "b", count: 12))
            _ = try await node.order("POST", "/v1/users/al%0Aice/disconnect", headers: KeyRing.header("a"), "")
            _ = try await node.order("POST", "/v1/users/alice/disconnect", headers: KeyRing.header("a"), "")
            let done = try await line([
                "order": "disconnect", "on": "alice", "key": admin, "result": "done", "event": "order", "node": "n1",
            ])
            #expect((done["from"] as? String)?.hasPrefix("127.0.0.1:") == true)
            _ = try await node.order("POST", "/v1/revocations", headers: KeyRing.header("a"), #"{"key":"only"}"#)
            _ = try await line(["order": "revoke", "on": "all tokens of key only", "result": "done"])
            _ = try await node.order("POST", "/v1/nodes/n1/weight", headers: KeyRing.header("a"), #"{"weight":7}"#)
            _ = try await line(["order": "weight 7", "on": "n1", "result": "accepted"])
            _ = try await node.order("POST", "/v1/nodes/n9/drain", headers: KeyRing.header("a"), "")
            _ = try await line(["order": "drain", "on": "n9", "result": "HTTP 404"])
            _ = try await node.order("POST", "/v1/nodes/n1/drain", headers: KeyRing.header("b"), "")
            _ = try await line(["event": "refusal", "order": "POST /v1/nodes/n1/drain", "key": reader, "result": "forbidden"])
            _ = try await node.order("GET", "/v1/ring", headers: KeyRing.header("g"))
            _ = try await line(["event": "refusal", "claimedKey": String(repeating: "g", count: 12), "result": "unauthorized"])
            _ = try await node.ask("/v1/poll?wait=0", token: "x.y.z")
            _ = try await line(["event": "refusal", "order": "token", "result": "malformed"])
            // Keys that come and go.
            try ring.write([#""scopes":["administer"]"#])
            try keys.remove("gone")
            try FileManager.default.moveItem(atPath: path, toPath: folder.file("old.jsonl"))
            node.hangUp()
            #expect(try await line(["event": "keys", "on": "api-keys"])["removed"] as? [String] == [reader])
            #expect(try await line(["event": "keys", "on": "token-keys"])["removed"] as? [String] == ["gone"])
            let text = String(decoding: FileManager.default.contents(atPath: folder.file("old.jsonl")) ?? Data(), as: UTF8.self)
            #expect(!text.contains("Secret") && !text.contains("x.y.z"), "no secret, no token")
        }
    }
}
