// What operators do about those who are in: sockets of a user end, tokens are taken back, on every node at once.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct TokenEnds {
        /// A revocation and what it ends are a second apart at most; the rest is for a busy machine.
        private static let secondsMax = 5.0

        private static func cluster(_ issuer: Issuer) async throws -> Cluster {
            let options = issuer.options
            return try await Cluster.start(weights: [100, 100]) { _ in options }
        }

        /// A WebSocket, an event stream and a waiting poll at a node, attached.
        private struct Trio {
            let socket: RawWebSocket
            let stream: CurlStream
            let poll: RawConnection

            init(_ node: NodeProcess, _ token: String) async throws {
                socket = try await RawWebSocket.open(node, token: token)
                try await socket.hear("attached")
                stream = try CurlStream("\(node.clientURL)/v1/sse", headers: ["Authorization: Bearer \(token)"])
                try await stream.waitUntilAttached()
                poll = try RawConnection(port: node.client)
                try await poll.send(RawConnection.request("GET", "/v1/poll?wait=50", headers: ["Authorization": "Bearer \(token)"]))
            }

            /// How each of them ends.
            func ends(seconds: Double) async throws -> [String] {
                let close = try await socket.close(seconds: seconds)
                let event = try await stream.wait("its end", seconds: seconds) { !$0.closes.isEmpty }.closes[0]
                let answer = try await poll.answer(seconds: seconds)
                return [close, event, "\(answer.status) \(answer.errorCode)"]
            }
        }

        @Test func anOperatorEndsSocketsOnAllNodes() async throws {
            let issuer = try Issuer()
            defer { withExtendedLifetime(issuer) {} }
            let cluster = try await Self.cluster(issuer)
            let token = try issuer.token("alice")
            let others = try await RawWebSocket.open(cluster.nodes[1], token: try issuer.token("bob"))
            let trios = [try await Trio(cluster.nodes[0], token), try await Trio(cluster.nodes[1], token)]
            try await cluster.nodes[0].waitForSockets(6, of: "alice")
            let answer = try await cluster.nodes[0].order("POST", "/v1/users/alice/disconnect", "")
            #expect(answer.text.contains(#""sockets":6"#) && answer.text.contains(#""unanswered":[]"#), "\(answer.text)")
            for trio in trios {
                #expect(
                    try await trio.ends(seconds: Self.secondsMax) == [
                        "4004 stop: disconnected", #"{"code":"disconnected","advice":"stop"}"#, "403 forbidden",
                    ])
            }
            // The token is as good as before; with "resume" clients are asked to come back at their own time.
            let again = try await RawWebSocket.open(cluster.nodes[1], token: token)
            try await again.hear("attached")
            let resumed = try await cluster.nodes[0].order("POST", "/v1/users/alice/disconnect", #"{"resume":true}"#)
            #expect(resumed.text.contains(#""sockets":1"#), "\(resumed.text)")
            #expect(try await again.close().hasPrefix("1001 resume: going_away; after="))
            try await cluster.nodes[0].publish("still there", to: "bob")
            try await others.hear("still there")
            let bad = try await cluster.nodes[0].order("POST", "/v1/users/alice/disconnect", #"{"resume":"yes"}"#)
            #expect(bad.errorCode == "bad_json")
            let page = try await cluster.nodes[0].order(
                "POST", "/v1/users/bob/disconnect", headers: ["Origin": "http://localhost"], "")
            #expect(page.status == 403)
        }

        @Test func aRevokedUserIsOutOnAllNodesUntilThereIsANewToken() async throws {
            let issuer = try Issuer()
            defer { withExtendedLifetime(issuer) {} }
            let cluster = try await Self.cluster(issuer)
            let token = try issuer.token("carol")
            let bob = try await RawWebSocket.open(cluster.nodes[1], token: try issuer.token("bob"))
            let trio = try await Trio(cluster.nodes[1], token)
            let began = ContinuousClock.now
            let answer = try await cluster.nodes[0].order("POST", "/v1/revocations", #"{"user":"carol"}"#)
            #expect(answer.status == 200 && answer.text.contains(#""user":"carol""#), "\(answer.text)")
            #expect(
                try await trio.ends(seconds: Self.secondsMax) == [
                    "4003 stop: revoked", #"{"code":"revoked","advice":"stop"}"#, "401 unauthorized",
                ])
            print("a revocation reached the other node's sockets within \(ContinuousClock.now - began)")
            for node in cluster.nodes {
                #expect(try await node.ask("/v1/poll?wait=0", token: token).status == 401)
                #expect(try await RawWebSocket.open(node, "", headers: ["Authorization": "Bearer \(token)"]).answer.status == 401)
                #expect(try await RawWebSocket.open(node, "access_token=\(token)").socket.close() == "4003 stop: revoked")
                let old = try issuer.token("carol", issuedAt: Issuer.nowSeconds - 60)
                #expect(try await node.ask("/v1/poll?wait=0", token: old).status == 401, "all that were made before")
                #expect(try await node.distrusted("revoked") > 0)
            }
            try await eventually(within: 10, "a token of a later second is good") {
                try await cluster.nodes[1].ask("/v1/poll?wait=0", token: try issuer.token("carol")).status == 200
            }
            let list = try await cluster.nodes[1].order("GET", "/v1/revocations")
            #expect(list.text.contains(#""revocations":[{"#), "\(list.text)")
            try await cluster.nodes[0].publish("still there", to: "bob")
            try await bob.hear("still there")
        }

        @Test func oneTokenIsTakenBackAlone() async throws {
            let issuer = try Issuer()
            defer { withExtendedLifetime(issuer) {} }
            let cluster = try await Self.cluster(issuer)
            let lost = try issuer.token("dave", #""jti":"lost""#)
            let kept = try issuer.token("dave", #""jti":"kept""#)
            let namesake = try issuer.token("erin", #""jti":"lost""#)
            let sockets = [
                try await RawWebSocket.open(cluster.nodes[1], token: lost), try await RawWebSocket.open(cluster.nodes[1], token: kept),
                try await RawWebSocket.open(cluster.nodes[1], token: namesake),
            ]
            let order = #"{"user":"dave","token":"lost","expires":\#(Issuer.nowSeconds + 300)}"#
            #expect(try await cluster.nodes[0].order("POST", "/v1/revocations", order).status == 200)
            #expect(try await sockets[0].close(seconds: Self.secondsMax) == "4003 stop: revoked")
            for (user, socket) in [("dave", sockets[1]), ("erin", sockets[2])] {
                try await cluster.nodes[0].publish("still there", to: user)
                try await socket.hear("still there")
            }
            // A renewal with it is refused, and the socket stays with what it has.
            try await sockets[1].say(#"{"token":"\#(lost)"}"#)
            #expect(try await sockets[1].hear(#""event":"error""#).contains(#""code":"unauthorized""#))
            for node in cluster.nodes {
                #expect(try await node.ask("/v1/poll?wait=0", token: lost).status == 401)
                #expect(try await node.ask("/v1/poll?wait=0", token: kept).status == 200)
            }
            for body in ["", "{}", "[]", #"{"user":7}"#, #"{"user":""}"#] {
                #expect(try await cluster.nodes[0].order("POST", "/v1/revocations", body).status == 400, "\(body)")
            }
        }
    }
}
