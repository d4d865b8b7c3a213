// What producers are told: repeats, batches, and payloads that arrive as they were sent.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Publishing {
        @Test func aRepeatOnAnotherNodeGetsTheFirstReceipt() async throws {
            let cluster = try await Shared.cluster()
            let user = try await cluster.user("idempotent", ownedBy: "n2")
            let socket = try await cluster["n3"].webSocket(user)
            let first = try await cluster["n1"].publish("once", to: user, headers: ["Idempotency-Key": "key 1"])
            #expect(first.repeated == nil)
            for node in cluster.nodes {
                let again = try await node.publish("once", to: user, headers: ["Idempotency-Key": "key 1"])
                #expect(again.repeated == true)
                #expect(again.seq == first.seq)
                #expect(again.id == first.id)
            }
            let other = try await cluster["n2"].publish("another", to: user, headers: ["Idempotency-Key": "key 2"])
            #expect(other.seq == 2)
            #expect(other.repeated == nil)
            // A key belongs to one user.
            #expect(try await cluster["n1"].publish("other user", to: user + "x", headers: ["Idempotency-Key": "key 1"]).repeated == nil)
            #expect(try await socket.messages(2).map(\.data) == ["once", "another"])
            let long = try await cluster["n1"].post("x", to: user, headers: ["Idempotency-Key": String(repeating: "k", count: 256)])
            #expect(long.status == 400)
            #expect(long.errorCode == "bad_parameter")
        }

        @Test func aBatchIsAnsweredInItsOrder() async throws {
            let cluster = try await Shared.cluster()
            let users = try await cluster.users("batch", ownedBy: ["n1", "n2", "n3"]).values.compactMap(\.first).sorted()
            let lines = [
                #"{"user":"\#(users[0])","data":"a"}"#,
                #"{"user":"\#(users[1])","data":{"deep":[1,2,{"x":"}"}]}}"#,
                #"{"user":"\#(users[2])","data":"c","idempotencyKey":"k"}"#,
                "not json", #"["no object"]"#, #"{"data":"nobody"}"#, #"{"user":"\#(users[0])"}"#, #"{"user":"","data":1}"#,
                #"{"user":7,"data":1}"#, #"{"user":"\#(users[0])","data":1,"ttl":-1}"#,
                "", "  ",
                #"{"user":"\#(users[2])","data":"c","idempotencyKey":"k"}"#,
                #" { "data" : "b" , "user" : "\#(users[0])" , "ttl" : 60 } "# + "\r",
            ]
            let answer = try await RawConnection.exchange(
                port: cluster.nodes[0].api, "POST", "/v1/messages", headers: ["Content-Type": "application/x-ndjson"],
                body: Array(lines.joined(separator: "\n").utf8))
            #expect(answer.status == 200)
            #expect(answer.headers["content-type"] == "application/x-ndjson")
            let results = answer.text.split(separator: "\n").map(String.init)
            #expect(results.count == 12, "blank lines are no messages: \(answer.text)")
            let short = try results.map(Self.short)
            #expect(
                short == [
                    "\(users[0]) 1", "\(users[1]) 1", "\(users[2]) 1", "bad_json", "bad_json", "bad_name", "bad_parameter", "bad_name",
                    "bad_name", "bad_parameter", "\(users[2]) 1 repeated", "\(users[0]) 2",
                ])
            #expect(results[3].contains("line 4"))
            let poll = try await cluster.nodes[1].poll("user=\(users[0])&since=earliest&wait=0")
            #expect(poll.messages.map(\.data) == ["a", "b"])
        }

        private static func short(_ line: String) throws -> String {
            let answer = HTTPAnswer(status: 200, headers: ["content-type": "application/json"], body: Array(line.utf8))
            if !answer.errorCode.isEmpty { return answer.errorCode }
            let receipt: Receipt = try answer.json()
            return "\(receipt.user) \(receipt.seq)" + (receipt.repeated == true ? " repeated" : "")
        }

        @Test func aBatchHasBounds() async throws {
            let node = try await Shared.cluster().nodes[0]
            func batch(_ body: [UInt8], type: String = "application/x-ndjson") async throws -> HTTPAnswer {
                try await RawConnection.exchange(port: node.api, "POST", "/v1/messages", headers: ["Content-Type": type], body: body)
            }
            let line = Array(#"{"user":"bounds","data":1}"#.utf8) + [UInt8(ascii: "\n")]
            let most = try await batch(Array(repeatElement(line, count: 1_000).joined()))
            #expect(most.status == 200)
            #expect(most.body.count { $0 == UInt8(ascii: "\n") } == 1_000)
            let tooMany = try await batch(Array(repeatElement(line, count: 1_001).joined()))
            #expect(tooMany.status == 413)
            #expect(tooMany.errorCode == "too_large")
            let empty = try await batch([])
            #expect(empty.status == 200)
            #expect(empty.body.isEmpty)
            #expect(try await batch(line, type: "image/png").status == 415)
            let large = Array(#"{"user":"bounds","data":"\#(String(repeating: "x", count: 70_000))"}"#.utf8)
            #expect(try await batch(large).text.contains(#""code":"too_large""#))
        }

        @Test func payloadsArriveAsTheyWereSent() async throws {
            let node = try await Shared.cluster().nodes[0]
            let user = "payloads"
            let cases: [(type: String?, body: String, data: String)] = [
                ("application/json", #"{"a":1.0,"b":[1e400,"\u00e9"]}"#, #"{"a":1.0,"b":[1e400,"\u00e9"]}"#),
                ("application/json", #""text""#, #""text""#),
                ("application/json", " true ", " true "),
                ("application/json", "{\"a\":\n1,\r\n\"b\":2}", ""),
                ("text/plain", #"{"a":1}"#, #""{\"a\":1}""#),
                ("text/plain; charset=UTF-8", "Zoë\t\u{1}", #""Zoë\t\u0001""#),
                (nil, #"{"a":1}"#, #"{"a":1}"#),
                (nil, "{not json", #""{not json""#),
                (nil, "123", #""123""#),
                ("application/vnd.x+json", "[]", "[]"),
                ("text/plain", "", #""""#),
            ]
            for (place, item) in cases.enumerated() {
                let headers = item.type.map { ["Content-Type": $0] } ?? [:]
                let receipt: Receipt = try await node.post(item.body, to: user, headers: headers).json()
                let answer = try await RawConnection.exchange(
                    port: node.client, "GET", "/v1/poll?user=\(user)&since=earliest&wait=0")
                #expect(receipt.seq == place + 1)
                #expect(!answer.text.contains("\n"), "a message is one line on every transport")
                if !item.data.isEmpty { #expect(answer.text.hasSuffix(#""data":\#(item.data)}]}"#), "\(item): \(answer.text)") }
            }
            let bad: [(String, [UInt8], Int)] = [
                ("application/json", Array("{".utf8), 400), ("application/json", Array("\"\\ud800".utf8), 400),
                ("text/plain", [0xFF], 415), ("text/plain; charset=latin1", [0x41], 415), ("image/png", [0x41], 415),
            ]
            for (type, body, status) in bad {
                let answer = try await RawConnection.exchange(
                    port: node.api, "POST", "/v1/users/\(user)/messages", headers: ["Content-Type": type], body: body)
                #expect(answer.status == status, "\(type): \(answer.text)")
                #expect(!answer.errorCode.isEmpty)
            }
        }
    }
}
