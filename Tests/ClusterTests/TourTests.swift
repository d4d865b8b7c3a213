// The tours of the documents, run as they are printed: what stands between two marks is one shell script. Only the ports are
// moved, so that it doesn't meet a cluster that somebody runs on this machine.

import Foundation
import Testing
import TestSupport

@Suite(.serialized) struct TourTests {
    /// The commands of a tour, without the words between them.
    private static func commands(_ document: String, _ mark: String) throws -> [String] {
        let text = try Documents.text(document)
        let tour = try #require(text.components(separatedBy: "<!-- \(mark) -->").dropFirst().first)
        let inside = try #require(tour.components(separatedBy: "<!-- end of \(mark) -->").first)
        return Markdown(inside).blocks.filter { $0.language == "sh" }.map { $0.lines.joined(separator: "\n") + "\n" }
    }

    /// The tour as a script: the listener, which runs until it is stopped, goes to the background.
    private static func script(_ commands: [String], base: Int) -> String {
        var lines = ["set -euo pipefail", "ringpost() { \"$RINGPOST_BINARY\" \"$@\"; }"]
        for command in commands {
            if command.hasPrefix("alias ringpost=") { continue }
            var text = command
            for offset in 0..<30 {
                text = text.replacingOccurrences(of: "127.0.0.1:\(8_080 + offset)", with: "127.0.0.1:\(base + offset)")
            }
            if text.hasPrefix("ringpost listen") {
                text = "\"$RINGPOST_BINARY\" " + text.dropFirst("ringpost ".count).trimmingCharacters(in: .newlines)
                text += " >\"$RINGPOST_RUN_DIRECTORY/listen.out\" 2>\"$RINGPOST_RUN_DIRECTORY/listen.err\" &\nlistener=$!\n"
                text += "for i in $(seq 300); do grep -q . \"$RINGPOST_RUN_DIRECTORY/listen.err\" && break; sleep 0.1; done\n"
            } else if text.hasPrefix("cluster/down") {
                text = "kill -INT $listener; wait $listener || true\n" + text
            }
            lines.append(text)
        }
        return lines.joined(separator: "\n")
    }

    @Test(.timeLimit(.minutes(5))) func theTourWorksAsPrinted() async throws {
        let folder = try TemporaryFolder("tour")
        // Nodes of a cluster take three ports out of every ten.
        let base = try FreePorts.takeRow(30)
        let zookeeperPort = try FreePorts.take(1)[0]
        let environment = RingpostProgram.environment([
            "RINGPOST_BINARY": RingpostProgram.path, "RINGPOST_RUN_DIRECTORY": folder.path,
            "RINGPOST_API_URL": "http://127.0.0.1:\(base + 1)", "RINGPOST_CLIENT_URL": "http://127.0.0.1:\(base)",
        ])
        let up = "cluster/up --base-port \(base) --zookeeper-port \(zookeeperPort)\n"
        let commands = try Self.commands("README.md", "tour")
        #expect(commands.count >= 8)
        let script = "cd '\(Documents.root.path)'\ntrap 'cluster/down >/dev/null' EXIT\n" + up + Self.script(commands, base: base)
        try folder.write(script, to: "tour.sh")
        let run = try ChildProcess("/bin/bash", arguments: [folder.file("tour.sh")], environment: environment)
        let status = try await run.waitForExit(deadlineSeconds: 280)
        #expect(status == 0, "\(run.output)")
        for shown in ["owner n", "hello from curl", "attached", "n4", "n3"] {
            #expect(run.output.contains(shown), "\(shown)\n\(run.output)")
        }
        let heard = try String(contentsOfFile: folder.file("listen.out"), encoding: .utf8)
        #expect(heard.contains("hello, alice") && heard.contains("hello from curl"), "\(heard)")
    }

    @Test(.timeLimit(.minutes(2))) func theTourOfSecurityWorksAsPrinted() async throws {
        let folder = try TemporaryFolder("security-tour")
        let ports = try FreePorts.take(3)
        var text = try #require(try Self.commands("docs/guide/security.md", "tour of security").first)
        for (index, port) in ports.enumerated() {
            text = text.replacingOccurrences(of: "127.0.0.1:\(8_180 + index)", with: "127.0.0.1:\(port)")
        }
        text = text.replacingOccurrences(of: "cluster/.run", with: folder.path)
        try folder.write("set -euo pipefail\n" + Self.function + text, to: "tour.sh")
        let environment = RingpostProgram.environment(["RINGPOST_BINARY": RingpostProgram.path])
        let run = try ChildProcess("/bin/bash", arguments: [folder.file("tour.sh")], environment: environment)
        let status = try await run.waitForExit(deadlineSeconds: 100)
        #expect(status == 0, "\(run.output)")
        // Sent, read with the token, refused without, revoked, refused with it.
        let parts = [
            #""data":"for your eyes only""#, #""code":"unauthorized""#, "all tokens of alice are refused", "the token has been revoked",
        ]
        var rest = run.output[...]
        for part in parts {
            let found = try #require(rest.range(of: part), "\(part)\n\(run.output)")
            rest = rest[found.upperBound...]
        }
    }

    /// In place of the alias, which scripts don't have. In the background a function is a shell of its own, and it is the node that is killed.
    private static let function = """
        ringpost() {
            if [[ $1 == node ]]; then exec "$RINGPOST_BINARY" "$@"; fi
            "$RINGPOST_BINARY" "$@"
        }

        """
}
