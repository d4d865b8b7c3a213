// Two people chat in two terminals at two nodes, and one is the channel's owner no more.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Chat {
        @Test func twoTerminalsChatThroughTheDeathOfTheOwner() async throws {
            let cluster = try await Cluster.start()
            try await eventually(within: 30, "an owner") { (try? await cluster.nodes[0].ownerOfDen()) != nil }
            let owner = try await cluster.nodes[0].ownerOfDen()
            let others = cluster.nodes.filter { $0.id != owner }
            let ann = try Terminal(user: "ann", at: others[0])
            try await ann.wait("you are in den with nobody (1 connected)")
            let ben = try Terminal(user: "bén", at: others[1])
            try await ben.wait("you are in den with ann (2 connected)")
            try await ann.wait("* bén joined")
            try ann.type("hello, \"bén\"\n")
            try await ben.wait("  ann: hello, \"bén\"")
            // What is being typed stays below what comes meanwhile; a letter taken back is gone.
            try ben.type("good mornung\u{7F}\u{7F}\u{7F}")
            try await ben.wait("bén> good morn", atEnd: true)
            try ann.type("are you there?\n")
            try await ben.wait("  ann: are you there?\r\nbén> good morn", atEnd: true)
            try cluster.take(owner).kill()
            try ben.type("ing\n")
            try await ann.wait("  bén: good morning", seconds: 60)
            try ann.type("still here\n")
            try await ben.wait("  ann: still here", seconds: 60)
            for terminal in [ann, ben] {
                let shown = terminal.shown
                for word in ["not connected", "left", "not sent", "not kept"] { #expect(!shown.contains(word), "\(shown)") }
                #expect(shown.components(separatedBy: "  ann: hello").count == 2, "\(shown)")
                #expect(shown.components(separatedBy: "joined").count <= 2, "\(shown)")
            }
            // Ctrl-D leaves, and gives the terminal back.
            try ben.type("\u{4}")
            try await ben.waitForEnd()
            try await ann.wait("* bén left")
        }

        /// Without a terminal, lines go in and out as they are.
        @Test func aPipeChatsToo() async throws {
            let node = try await Shared.loner()
            let listening = try RingpostProgram.start(["listen", "--channel", "pipe", "--url", node.clientURL])
            try await eventually(within: 20, "listening") { listening.output.contains("listening to pipe") }
            let chat = try ChildProcess(
                "/bin/sh",
                arguments: ["-c", "(echo one; echo two) | \"$0\" \"$@\"", RingpostProgram.path] + [
                    "chat", "--user", "pia", "--channel", "pipe", "--url", node.clientURL, "--api", node.apiURL,
                ], environment: RingpostProgram.environment())
            #expect(try await chat.waitForExit(deadlineSeconds: 60) == 0, "\(chat.output)")
            try await eventually(within: 20, "both lines") { listening.output.contains(#"{"from":"pia","text":"two"}"#) }
            #expect(listening.output.contains(#"{"from":"pia","text":"one"}"#))
        }
    }
}

/// `ringpost chat` in a pseudo-terminal.
private struct Terminal {
    private let process: ChildProcess
    private let folder: TemporaryFolder

    init(user: String, at node: NodeProcess) throws {
        folder = try TemporaryFolder("terminal")
        try Data().write(to: URL(fileURLWithPath: folder.file("typed")))
        process = try ChildProcess(
            "/usr/bin/python3",
            arguments: ["-c", Self.script, folder.file("typed"), RingpostProgram.path] + [
                "chat", "--user", user, "--channel", "den", "--url", node.clientURL, "--api", node.apiURL,
            ], environment: RingpostProgram.environment(["TERM": "xterm", "NO_COLOR": "1"]))
    }

    var shown: String { process.output }

    func type(_ text: String) throws {
        let typed = try FileHandle(forWritingTo: URL(fileURLWithPath: folder.file("typed")))
        try typed.seekToEnd()
        try typed.write(contentsOf: Data(text.utf8))
        try typed.close()
    }

    func wait(_ text: String, atEnd: Bool = false, seconds: Double = 30) async throws {
        do {
            try await eventually(within: seconds, text) { atEnd ? shown.hasSuffix(text) : shown.contains(text) }
        } catch is DeadlineExceeded {
            throw DeadlineExceeded("waited \(seconds) s in vain for \"\(text)\" in a terminal that shows \(shown)")
        }
    }

    func waitForEnd() async throws { #expect(try await process.waitForExit(deadlineSeconds: 20) == 0) }

    /// Types what is appended to a file, prints what the terminal shows.
    private static let script = """
        import os, pty, select, sys
        pid, terminal = pty.fork()
        if pid == 0:
            os.execv(sys.argv[2], sys.argv[2:])
        typed = open(sys.argv[1], "rb")
        while True:
            if select.select([terminal], [], [], 0.05)[0]:
                try:
                    shown = os.read(terminal, 65536)
                except OSError:
                    break
                os.write(1, shown)
            os.write(terminal, typed.read())
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        """
}

extension NodeProcess {
    fileprivate func ownerOfDen() async throws -> String {
        struct Channel: Decodable { let owner: String }
        let channel: Channel = try await Curl.json(["\(apiURL)/v1/channels/den"])
        return channel.owner
    }
}
