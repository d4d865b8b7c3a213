// The command line against three nodes: what people type first.

import Foundation
import RingpostWire
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Commands {
        private static func options(_ name: String, _ urls: [String]) -> [String] { urls.flatMap { [name, $0] } }

        @Test func sendPrintsAReceiptAndListenTheMessage() async throws {
            let cluster = try await Shared.cluster()
            let user = "the command line"
            let listen = try RingpostProgram.start(["listen", "--user", user, "--url", cluster.nodes[0].clientURL])
            try await cluster.nodes[0].waitForSockets(1, of: user)
            let send = try await RingpostProgram.run(["send", "--user", user, "--api", cluster.nodes[1].apiURL, "hello, command line"])
            #expect(send.status == 0, "\(send.output)")
            #expect(send.output.contains("delivered"), "\(send.output)")
            try await listen.waitForLine(containing: "hello, command line", seconds: 20)
            listen.terminate()
            _ = try await listen.waitForExit(deadlineSeconds: 20)
        }

        @Test(arguments: ["ws", "sse", "poll", "polling"]) func listenResumesAtACursor(transport: String) async throws {
            let cluster = try await Shared.cluster()
            let user = "listen-\(transport)"
            try await cluster.nodes[0].publish(["one", "two"], to: user)
            let first = try await cluster.nodes[0].poll("user=\(user)&since=earliest&wait=0").messages[0]
            let listen = try RingpostProgram.start([
                "listen", "--user", user, "--url", cluster.nodes[1].clientURL, "--transport", transport, "--since", first.cursor,
            ])
            try await listen.waitForLine(containing: "two", seconds: 20)
            try await cluster.nodes[2].publish("three", to: user)
            try await listen.waitForLine(containing: "three", seconds: 20)
            #expect(!listen.output.contains("one"))
        }

        @Test func listenSurvivesTheEndOfItsNode() async throws {
            let cluster = try await Cluster.start()
            let user = try await cluster.user("moving-house", ownedBy: "n1")
            let leaving = try cluster.take("n3")
            let listen = try RingpostProgram.start(
                ["listen", "--user", user] + Self.options("--url", [leaving.clientURL, try cluster["n2"].clientURL]))
            try await cluster["n1"].waitForSockets(1, of: user)
            // It may have begun at either; the one it did not begin at takes over.
            try await cluster["n1"].publish("before", to: user)
            try await listen.waitForLine(containing: "before", seconds: 20)
            leaving.terminate()
            #expect(try await leaving.waitForExit(seconds: 30) == 0)
            try await cluster.settled()
            try await cluster["n1"].publish("after", to: user)
            try await listen.waitForLine(containing: "after", seconds: 30)
            #expect(listen.output.components(separatedBy: "before").count == 2)
        }

        @Test func severalApisAreTriedInTurn() async throws {
            let cluster = try await Shared.cluster()
            let dead = try FreePorts.take(1)[0]
            let api = ["http://127.0.0.1:\(dead)", cluster.nodes[0].apiURL]
            let send = try await RingpostProgram.run(["send", "--user", "tried"] + Self.options("--api", api) + ["text"])
            #expect(send.status == 0, "\(send.output)")
            let nobody = try await RingpostProgram.run(["send", "--user", "tried", "--api", api[0], "text"])
            #expect(nobody.status == 1, "\(nobody.output)")
        }

        @Test func ringLocateNodesAndPlan() async throws {
            let cluster = try await Shared.cluster()
            let picture = try await cluster.settled()
            let api = ["--api", cluster.nodes[0].apiURL]
            let ring = try await RingpostProgram.run(["ring"] + api)
            #expect(ring.status == 0)
            for node in picture.nodes { #expect(ring.output.contains(node.id) && ring.output.contains("\(node.slots ?? -1)")) }
            #expect(ring.output.contains("\(picture.epoch)"))
            #expect(!ring.output.contains("\u{1B}["), "no colours where there is no terminal")
            let json = try await RingpostProgram.run(["ring", "--json"] + api)
            let parsed = try JSONDecoder().decode(RingReport.self, from: Data(json.output.utf8))
            #expect(parsed.digest == picture.digest)
            let nodes = try await RingpostProgram.run(["nodes"] + api)
            for node in cluster.nodes { #expect(nodes.output.contains(node.id)) }
            let owner = try await cluster.nodes[0].locate("alice").owner.id
            let locate = try await RingpostProgram.run(["locate", "alice"] + api)
            #expect(locate.status == 0)
            #expect(locate.output.contains(owner), "\(locate.output)")
            let plan = try await RingpostProgram.run(["plan", "--add", "n4"] + api)
            #expect(plan.status == 0, "\(plan.output)")
            let share = try #require(try /(\d+(\.\d+)?) ?%/.firstMatch(in: plan.output).flatMap { Double($0.1) })
            #expect(abs(share - 25) < 3, "\(plan.output)")
        }

        @Test func replayOfAGeneratedChatIsClean() async throws {
            let cluster = try await Shared.cluster()
            let folder = try TemporaryFolder("replay")
            let file = try folder.write(Self.chat(messages: 600, users: 24), to: "chat.jsonl")
            try await Self.replay(file, ["--users", "24"], through: cluster, messages: 600)
        }

        @Test func replayWithoutAFileMakesItsOwnChat() async throws {
            try await Self.replay(nil, ["--messages", "600", "--users", "36", "--seed", "7"], through: Shared.cluster(), messages: 600)
        }

        private static let log = NSString.path(
            withComponents: URL(fileURLWithPath: #filePath).pathComponents.dropLast(4) + ["shared", "data", "ubuntu-chat.jsonl"])

        @Test(.enabled(if: FileManager.default.fileExists(atPath: log), "the real chat log is not here"))
        func replayOfARealChatIsClean() async throws {
            try await Self.replay(Self.log, ["--messages", "3000", "--users", "100"], through: Shared.cluster(), messages: 3_000)
        }

        @Test func replayOfNothingFails() async throws {
            let cluster = try await Shared.cluster()
            let folder = try TemporaryFolder("replay")
            let file = try folder.write("{\"at\":\"2004-12-25T09:14\",\"from\":\"a\",\"to\":null,\"text\":\"x\"}\n", to: "chat.jsonl")
            let ended = try await RingpostProgram.run(["replay", file, "--api", cluster.nodes[0].apiURL])
            #expect(ended.status == 1)
            let missing = try await RingpostProgram.run(["replay", file + "x", "--api", cluster.nodes[0].apiURL])
            #expect(missing.status == 1)
            #expect(missing.output.contains(file + "x"))
        }

        private static func replay(_ file: String?, _ options: [String], through cluster: Cluster, messages: Int) async throws {
            let api = Self.options("--api", cluster.nodes.map(\.apiURL))
            let ended = try await RingpostProgram.run(
                ["replay"] + (file.map { [$0] } ?? []) + ["--speed", "0"] + options + api, seconds: 150)
            #expect(ended.status == 0, "\(ended.output)")
            func number(_ name: String) -> Int? {
                let line = ended.output.split(separator: "\n").last { $0.hasPrefix(name) }
                return line.flatMap { $0.dropFirst(name.count).split(separator: " ").first }.flatMap { Int($0) }
            }
            #expect(number("messages") == messages)
            #expect(number("delivered") == messages)
            #expect(ended.output.contains("\nchannels  "), "\(ended.output)")
            for name in ["lost", "duplicated", "out of order"] { #expect(number(name) == 0, "\(name): \(ended.output)") }
        }

        /// Chat records, the same each time: names like real ones, and some that address nobody.
        private static func chat(messages: Int, users: Int) -> String {
            let names = (0..<users).map { ["|user \($0)|", "[u\($0)]`", "Zoë-\($0)", "日本\($0)"][$0 % 4] }
            var lines: [String] = []
            for number in 0..<messages {
                let (from, to) = (names[number * 7 % users], names[(number * 13 + number / users) % users])
                lines.append(#"{"at":"2004-12-25T09:14","from":"\#(from)","to":"\#(to)","text":"\#(to): message \#(number) é\t\"q\""}"#)
                if number % 10 == 0 { lines.append(#"{"at":"2004-12-25T09:14","from":"\#(from)","to":null,"text":"to nobody"}"#) }
            }
            return lines.joined(separator: "\n") + "\n"
        }
    }
}
