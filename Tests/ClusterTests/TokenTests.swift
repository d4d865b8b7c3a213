// Clients say who they are: in each of the places in which a token may stand, on each transport, with clients that are not ours too; and
// get no further than their token.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Tokens {
        /// Connects as a page does, as a program does, and with the token in the first frame; prints what each is told first.
        private static let python = """
            import asyncio, sys, websockets
            url, token = sys.argv[1:]
            async def main():
                async with websockets.connect(url, subprotocols=['ringpost.v1', 'ringpost.token.' + token]) as socket:
                    print('subprotocol', socket.subprotocol, await socket.recv())
                async with websockets.connect(url, extra_headers={'Authorization': 'Bearer ' + token}) as socket:
                    print('header', socket.subprotocol, await socket.recv())
                async with websockets.connect(url + '?access_token=' + token) as socket:
                    print('query', socket.subprotocol, await socket.recv())
                async with websockets.connect(url + '?channels=room') as socket:
                    await socket.send('{"token":"%s"}' % token)
                    print('frame', await socket.recv(), await socket.recv())
            asyncio.run(main())
            """

        private static func node(_ issuer: Issuer, _ options: [String] = []) async throws -> NodeProcess {
            try await NodeProcess.alone(options: issuer.options + options)
        }

        // MARK: Where it stands

        @Test func eachPlaceIsTakenOnEachTransport() async throws {
            let issuer = try Issuer()
            defer { withExtendedLifetime(issuer) {} }
            let node = try await Self.node(issuer)
            let token = try issuer.token("alice", #""subscribe":["room"]"#)
            let python = try ChildProcess(
                "/usr/bin/python3", arguments: ["-c", Self.python, "ws://127.0.0.1:\(node.client)/v1/ws", token])
            #expect(try await python.waitForExit(deadlineSeconds: 30) == 0, "\(python.output)")
            let lines = python.output.split(separator: "\n")
            #expect(lines.map { $0.split(separator: " ")[0] } == ["subprotocol", "header", "query", "frame"], "\(lines)")
            #expect(lines[0].hasPrefix("subprotocol ringpost.v1 {"), "the one that carries no token is selected")
            #expect(lines[1].hasPrefix("header None {") && lines[2].hasPrefix("query None {"))
            #expect(lines.allSatisfy { $0.contains(#""event":"attached""#) })
            #expect(lines[3].contains(#""channel":"room""#))

            let curl = try CurlStream("\(node.clientURL)/v1/sse?channels=room", headers: ["Authorization: Bearer \(token)"])
            try await curl.waitUntilAttached()
            let source = try NodeEventSources(["\(node.clientURL)/v1/sse?user=alice&access_token=\(token)"]).sockets[0]
            try await source.wait("attached") { !$0.cursors.isEmpty }
            try await node.publish("for alice", to: "alice")
            #expect(try await curl.message("for alice").data == "for alice")
            _ = try await source.message("for alice")
            for path in ["/v1/poll?wait=0&since=earliest", "/v1/poll?user=alice&wait=0&since=earliest"] {
                let answer = try await node.ask(path, token: token)
                #expect(answer.status == 200 && answer.text.contains("for alice"), "\(answer.text)")
                #expect(try await node.ask("\(path)&access_token=\(token)").status == 200)
            }
            let located = try await node.ask("/v1/locate", token: token).text
            #expect(located.contains(#""user":"alice""#) && located.contains(#""client":"#) && !located.contains(#""api""#), "\(located)")
        }

        @Test func whoBringsNoneStaysOutside() async throws {
            let issuer = try Issuer()
            defer { withExtendedLifetime(issuer) {} }
            let node = try await Self.node(issuer, ["--limit", "token-seconds=2"])
            let good = try issuer.token("alice")
            let tokens: [String?] = [nil, "x.y.z", try Issuer().token("alice"), try issuer.token("alice", seconds: -1)]
            for token in tokens {
                for path in ["poll?user=alice&wait=0", "sse?user=alice", "locate?user=alice"] {
                    let answer = try await node.ask("/v1/\(path)", token: token)
                    #expect(answer.status == 401 && answer.errorCode == "unauthorized", "\(path) \(token ?? "-"): \(answer.text)")
                    #expect(answer.headers["www-authenticate"]?.hasPrefix("Bearer") == true)
                    guard let token else { continue }
                    let query = try await node.ask("/v1/\(path)&access_token=\(token)")
                    #expect(query.status == 401 && query.headers["www-authenticate"]?.hasPrefix("Bearer") == true)
                }
                guard let token else { continue }
                let header = try await RawWebSocket.open(node, "", headers: ["Authorization": "Bearer \(token)"]).answer
                #expect(header.status == 401 && header.headers["www-authenticate"]?.hasPrefix("Bearer") == true, "\(header)")
                // A page can't see why an upgrade was refused: it is upgraded, and told.
                let offer = ["Sec-WebSocket-Protocol": "ringpost.v1, ringpost.token.\(token)"]
                let ends = token == tokens[3] ? "4002 renew: token_expired" : "4001 stop: unauthorized"
                for (query, headers) in [("access_token=\(token)", [:]), ("", offer)] {
                    let (socket, answer) = try await RawWebSocket.open(node, query, headers: headers)
                    #expect(answer.status == 101)
                    #expect(try await socket.close() == ends)
                }
                let late = try await RawWebSocket.open(node, "").socket
                try await late.say(#"{"token":"\#(token)"}"#)
                #expect(try await late.close() == ends)
            }
            // Commands before a token, and no word at all.
            let hasty = try await RawWebSocket.open(node, "").socket
            try await hasty.say(#"{"subscribe":["room"]}"#)
            #expect(try await hasty.close() == "4001 stop: unauthorized")
            let silent = try await RawWebSocket.open(node, "").socket
            #expect(try await silent.close() == "4001 stop: unauthorized")
            #expect(try await node.limited("token-seconds") == 1)
            // Two places are one too many.
            let two = try await RawWebSocket.open(node, "access_token=\(good)", headers: ["Authorization": "Bearer \(good)"]).answer
            #expect(two.status == 401)
            let basic = try await node.ask("/v1/poll?wait=0", headers: ["Authorization": "Basic YWxpY2U6YQ=="])
            #expect(basic.status == 401)
            for reason in ["missing", "malformed", "bad_signature", "expired"] {
                #expect(try await node.distrusted(reason) > 0, "\(reason)")
            }
            #expect(try await node.ask("/v1/poll?wait=0", token: good).status == 200)
            try await node.waitUntilDeserted()
        }

        // MARK: What it grants

        @Test func nobodyListensForAnother() async throws {
            let issuer = try Issuer()
            defer { withExtendedLifetime(issuer) {} }
            let node = try await Self.node(issuer)
            let token = try issuer.token("alice", #""subscribe":["room","game:*"],"presence":["game:*"]"#)
            let refused = [
                "user=bob", "user=Alice", "channels=den", "channels=room,den", "channel=roomy", "channels=gam",
                "user=alice&channels=room&presence=true", "channels=game:1,room&presence=true",
            ]
            for query in refused {
                for transport in ["ws", "sse", "poll"] where !(transport == "poll" && query.contains("presence")) {
                    let headers = (transport == "ws" ? RawWebSocket.upgrade : [:]).merging(["Authorization": "Bearer \(token)"]) { $1 }
                    let connection = try RawConnection(port: node.client)
                    try await connection.send(RawConnection.request("GET", "/v1/\(transport)?\(query)", headers: headers))
                    let answer = try await connection.answer()
                    #expect(answer.status == 403 && answer.errorCode == "forbidden", "\(transport) \(query): \(answer.status)")
                }
                let late = try await RawWebSocket.open(node, query).socket
                try await late.say(#"{"token":"\#(token)"}"#)
                try await late.hear(#""code":"forbidden""#)
                #expect(try await late.close() == "4001 stop: unauthorized", "\(query)")
            }
            #expect(try await node.ask("/v1/locate?user=bob", token: token).status == 403)
            let socket = try await RawWebSocket.open(node, token: token, "channels=room,game:1")
            for _ in 0..<3 { try await socket.hear("attached") }
            for command in [#"{"subscribe":["den"]}"#, #"{"subscribe":[{"channel":"room","presence":true}]}"#] {
                try await socket.say(command)
                try await socket.hear(#""code":"forbidden""#)
            }
            try await socket.say(#"{"subscribe":[{"channel":"game:2","presence":true}]}"#)
            try await socket.hear(#""channel":"game:2""#)
            #expect(try await node.distrusted("not_granted") > 0)
            #expect(try await node.distrusted("wrong_user") > 0)
        }

        @Test func nobodyPublishesWhatIsNotGranted() async throws {
            let issuer = try Issuer()
            defer { withExtendedLifetime(issuer) {} }
            let node = try await Self.node(issuer)
            let socket = try await RawWebSocket.open(
                node, token: try issuer.token("alice", #""subscribe":["den"],"publish":["talk:*"],"publishUsers":["bob"]"#))
            let mute = try await RawWebSocket.open(node, token: try issuer.token("alice"))
            for (target, isGranted) in [
                (#""channel":"talk:1""#, true), (#""user":"bob""#, true), (#""channel":"den""#, false), (#""channel":"bob""#, false),
                (#""user":"alice""#, false), (#""user":"talk:1""#, false), (#""channel":"talk""#, false),
            ] {
                let command = #"{"publish":{\#(target),"data":"x"},"ref":"\#(target.replacing("\"", with: ""))"}"#
                try await socket.say(command)
                let answer = try await socket.hear(#""ref":"#)
                #expect(answer.contains(#""event":"receipt""#) == isGranted, "\(target): \(answer)")
                #expect(answer.contains(#""code":"forbidden""#) != isGranted, "\(target): \(answer)")
                try await mute.say(command)
                #expect(try await mute.hear(#""ref":"#).contains(#""code":"forbidden""#))
            }
        }

        // MARK: Its end

        @Test func itsEndIsToldBeforeItComes() async throws {
            let issuer = try Issuer()
            defer { withExtendedLifetime(issuer) {} }
            let node = try await Self.node(issuer, ["--token-warning", "3"])
            let token = try issuer.token("alice", seconds: 4, #""subscribe":["room"]"#)
            let socket = try await RawWebSocket.open(node, token: token)
            let stream = try CurlStream("\(node.clientURL)/v1/sse", headers: ["Authorization: Bearer \(token)"])
            try await stream.waitUntilAttached()
            let began = Date().timeIntervalSince1970
            let poll = try await node.ask("/v1/poll?wait=20&since=earliest", token: token, seconds: 30)
            #expect(poll.status == 200 && poll.text.contains(#""expiring":"#), "\(poll.text)")
            #expect(Date().timeIntervalSince1970 - began < 10, "a poll ends before its token")
            let expiring = try await socket.hear(#""event":"expiring""#)
            let expires = try #require(expiring.firstMatch(of: #/"expires":(\d+)000\}/#).flatMap { Int($0.1) })
            #expect(abs(expires - Int(began) - 4) <= 2, "\(expiring)")
            #expect(try await socket.close() == "4002 renew: token_expired")
            #expect(Date().timeIntervalSince1970 >= Double(expires), "not before it has ended")
            let events = try await stream.wait("its end") { !$0.closes.isEmpty }
            #expect(events.closes == [#"{"code":"token_expired","advice":"renew"}"#])
            #expect(
                events.contains { if case .other(let block) = $0 { block.contains("event: expiring\ndata: \(expiring)") } else { false } })
            #expect(try await node.ask("/v1/poll?wait=0", token: token).status == 401)
            try await node.waitUntilDeserted()
        }

        @Test func aNewTokenComesOnTheSameSocket() async throws {
            let issuer = try Issuer()
            defer { withExtendedLifetime(issuer) {} }
            let node = try await Self.node(issuer, ["--token-warning", "30"])
            let first = try issuer.token("alice", seconds: 6, #""subscribe":["room","den"]"#)
            let socket = try await RawWebSocket.open(node, token: first, "channels=room,den")
            try await socket.hear("expiring")
            // What is not good changes nothing.
            for bad in [try issuer.token("bob"), try Issuer().token("alice"), "x"] {
                try await socket.say(#"{"token":"\#(bad)"}"#)
                #expect(try await socket.hear(#""event":"error""#).contains(#""code":"unauthorized""#))
            }
            try await socket.say(#"{"token":"\#(try issuer.token("alice", seconds: 300, #""subscribe":["room"]"#))"}"#)
            let renewed = try await socket.hear(#""event":"renewed""#)
            let expires = try #require(renewed.firstMatch(of: #/"expires":(\d+)000\}/#).flatMap { Int($0.1) })
            #expect(expires > Issuer.nowSeconds + 200)
            let lost = try await socket.hear(#""event":"error""#)
            #expect(lost.contains(#""channel":"den""#) && lost.contains(#""code":"forbidden""#), "\(lost)")
            // The first token's end is none any more, and what is not granted any more does not come.
            try await eventually(within: 20, "the first token has ended") {
                try await node.ask("/v1/poll?wait=0", token: first).status == 401
            }
            try await eventually(within: 20, "nobody is in den") {
                try await node.order("GET", "/v1/channels/den").text.contains(#""subscribers":0"#)
            }
            _ = try await node.order("POST", "/v1/channels/den/messages", "not this")
            _ = try await node.order("POST", "/v1/channels/room/messages", "but this")
            #expect(try await socket.hear(#""data":"#).contains("but this"))
            try await socket.say(#"{"subscribe":["den"]}"#)
            try await socket.hear(#""code":"forbidden""#)
        }
    }
}
