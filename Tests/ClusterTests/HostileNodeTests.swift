// What the commands show of a node that lies: no escape of a terminal gets through, and no number ends the command.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct HostileNode {
        /// Answers each path with a document of its own, and everything else with an error.
        private static let python = """
            import http.server, json, sys
            pages = json.loads(sys.argv[1])
            class Handler(http.server.BaseHTTPRequestHandler):
                def do_GET(self):
                    status, page = (200, pages[self.path]) if self.path in pages else (403, pages['error'])
                    body = page.encode()
                    self.send_response(status)
                    self.send_header('Content-Length', str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                do_POST = do_GET
                def log_message(self, *arguments): pass
            server = http.server.HTTPServer(('127.0.0.1', 0), Handler)
            print('port', server.server_port, flush=True)
            server.serve_forever()
            """

        /// Moves the cursor, two ways; turns the writing; begins another line, three ways.
        private static let evil = "\u{1B}[2J\u{9B}31m\u{202E}\u{2028}\n\r\u{7F}\u{2066}"
        private static let evilJSON = String(
            decoding: (try? JSONEncoder().encode(evil)) ?? Data(), as: UTF8.self
        ).dropFirst().dropLast()

        private static func pages(_ number: String) -> [String: String] {
            let x = "x\(evilJSON)"
            let node =
                #"{"id":"\#(x)","boot":"\#(x)","client":"\#(x)","api":"\#(x)","link":"\#(x)","weight":1,"zone":"\#(x)","slots":1,"answered":true,"#
                + #""epoch":1,"digest":"\#(x)","lease":"\#(x)","version":"\#(x)","uptimeSeconds":\#(number),"loops":1,"#
                + #""draining":{"phase":"\#(x)","seconds":\#(number)}}"#
            return [
                "/v1/nodes": #"{"nodes":[\#(node)]}"#,
                "/v1/ring":
                    #"{"cluster":"\#(x)","generation":"\#(x)","epoch":1,"epochAgeMilliseconds":1,"digest":"\#(x)","slots":65536,"answeredBy":"\#(x)","nodes":[\#(node)]}"#,
                "/v1/users/alice":
                    #"{"user":"\#(x)","hash":"\#(x)","slot":1,"epoch":1,"owner":"\#(x)","next":["\#(x)"],"cursor":"\#(x)","online":true,"since":\#(number),"#
                    + #""sockets":[{"edge":"\#(x)","transport":"\#(x)","remote":"\#(x)","connectedSeconds":\#(number),"cursor":"\#(x)"}],"unanswered":["\#(x)"]}"#,
                "/v1/users/bob":
                    #"{"user":"b","hash":"h","slot":1,"epoch":1,"next":[],"online":false,"lastSeen":\#(number),"sockets":[]}"#,
                "/v1/channels/room":
                    #"{"channel":"\#(x)","hash":"\#(x)","slot":1,"epoch":1,"owner":"\#(x)","next":["\#(x)"],"cursor":"\#(x)","#
                    + #""subscribers":1,"users":[{"user":"\#(x)","sockets":1}],"nodes":[{"node":"\#(x)","subscribers":1}],"complete":false}"#,
                "/v1/revocations": #"{"revocations":[{"user":"\#(x)","token":"\#(x)","key":"\#(x)","until":\#(number)}]}"#,
                "error": #"{"error":{"code":"\#(x)","message":"\#(x)"}}"#,
            ]
        }

        private static func run(_ number: String, _ body: (String) async throws -> Void) async throws {
            let json = String(decoding: try JSONEncoder().encode(pages(number)), as: UTF8.self)
            let server = try ChildProcess("/usr/bin/python3", arguments: ["-c", python, json])
            defer { server.kill() }
            let line = try await server.waitForLine(containing: "port", seconds: 30)
            try await body("http://127.0.0.1:\(line.split(separator: " ").last ?? "")")
        }

        /// Bytes that do something on some terminal, besides line ends.
        private static func isHarmless(_ output: String) -> Bool {
            !output.unicodeScalars.contains { scalar in
                scalar.value < 0x20 && scalar != "\n" || (0x7F...0x9F).contains(scalar.value) || (0x2028...0x202E).contains(scalar.value)
                    || (0x2066...0x2069).contains(scalar.value)
            }
        }

        @Test(arguments: ["5", "-5", "9223372036854775807", "-9223372036854775808", "99999999999999999"])
        func nothingOfItReachesTheTerminal(number: String) async throws {
            try await Self.run(number) { url in
                for (words, status) in [
                    (["nodes"], 0), (["ring"], 0), (["locate", "alice"], 0), (["locate", "bob"], 0), (["channel", "room"], 0),
                    (["plan", "--add", "n4"], 0), (["revoke", "--list"], 0), (["locate", "nobody"], 1), (["disconnect", "x"], 1),
                    (["drain", "n1"], 1), (["revoke", "x"], 1), (["nodes", "--json"], 0), (["ring", "--json"], 0),
                    (["locate", "alice", "--json"], 0), (["channel", "room", "--json"], 0), (["plan", "--remove", "n9"], 64),
                ] as [([String], Int32)] {
                    let ended = try await RingpostProgram.run(words + ["--api", url])
                    #expect(ended.status == status, "\(words): \(ended.output)")
                    #expect(Self.isHarmless(ended.output), "\(words): \(ended.output.debugDescription)")
                    if words.last == "--json" {
                        #expect((try? JSONSerialization.jsonObject(with: Data(ended.output.utf8))) != nil, "still the same JSON")
                        #expect(ended.output.contains(#"\u009b"#))
                    }
                }
            }
        }

        @Test func norDoesWhatPublishersSay() async throws {
            let node = try await NodeProcess.alone()
            let payload = #"{"text":"\#(Self.evilJSON)"}"#
            let answer = try await node.order(
                "POST", "/v1/users/alice/messages", headers: ["Content-Type": "application/json"], payload)
            #expect(answer.status == 200, "\(answer.text)")
            for words in [[], ["--json"]] {
                let listening = try RingpostProgram.start(
                    ["listen", "--user", "alice", "--since", "earliest", "--url", node.clientURL] + words)
                defer { listening.kill() }
                _ = try await listening.waitForLine(containing: "text", seconds: 30)
                #expect(Self.isHarmless(listening.output), "\(listening.output.debugDescription)")
            }
        }
    }
}
