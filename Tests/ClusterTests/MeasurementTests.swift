// How a tool's table gets into docs/measurements: cluster/lib.sh, with a page of its own.

import Foundation
import TestSupport
import Testing

extension ClusterTests {
    @Suite struct Measurements {
        private static let library = NSString.path(
            withComponents: URL(fileURLWithPath: #filePath).pathComponents.dropLast(3) + ["cluster", "lib.sh"])

        private static func shell(_ script: String, _ arguments: [String], in folder: TemporaryFolder) async throws -> (Int32, String) {
            var environment = ProcessInfo.processInfo.environment
            environment["RINGPOST_RUN_DIRECTORY"] = folder.path
            environment["RINGPOST_BINARY"] = nil
            let shell = try ChildProcess(
                "/bin/bash", arguments: ["-euc", "source '\(library)'; \(script)", "test"] + arguments, environment: environment)
            return (try await shell.waitForExit(deadlineSeconds: 30), shell.output)
        }

        @Test func aTableStandsUnderDateCommitAndMachine() async throws {
            let folder = try TemporaryFolder("measurements")
            let page = try folder.write(
                "# Before\n\n<!-- measured: table -->\nold\n<!-- end of measured: table -->\n\nafter\n", to: "page.md")
            let table = try folder.write("| new |\n", to: "table.md")
            let (status, output) = try await Self.shell(
                #"write_measurement "$1" table "abc1234 + changes" "cluster/NAME --y" "$2""#, [page, table], in: folder)
            #expect(status == 0, "\(output)")
            let lines = try String(contentsOfFile: page, encoding: .utf8).split(separator: "\n", omittingEmptySubsequences: false)
            #expect(lines.prefix(5) == ["# Before", "", "<!-- measured: table -->", "| | |", "| --- | --- |"])
            #expect(lines.count == 15)
            #expect(lines[5].wholeMatch(of: #/\| date \| \d{4}-\d\d-\d\d \d\d:\d\d UTC \|/#) != nil, "\(lines[5])")
            #expect(lines[6] == "| commit | abc1234 + changes |")
            #expect(lines[7].wholeMatch(of: #/\| machine \| \d+ cores \(.+\), \d+ GiB, Linux .+ \|/#) != nil, "\(lines[7])")
            #expect(
                lines.suffix(7) == ["| command | `cluster/NAME --y` |", "", "| new |", "<!-- end of measured: table -->", "", "after", ""])
        }

        @Test func aPageWithoutMarksStaysAsItIs() async throws {
            let folder = try TemporaryFolder("measurements")
            let page = try folder.write("<!-- measured: table -->\nold\n", to: "page.md")
            let table = try folder.write("| new |\n", to: "table.md")
            let (status, output) = try await Self.shell(#"write_measurement "$1" table abc1234 x "$2""#, [page, table], in: folder)
            #expect(status == 1)
            #expect(output.contains("has no marks of a section table"), "\(output)")
            #expect(try String(contentsOfFile: page, encoding: .utf8) == "<!-- measured: table -->\nold\n")
        }

        @Test func aPartIsNotWritten() async throws {
            let folder = try TemporaryFolder("measurements")
            let refuse = #"refuse_to_write_parts "--only --servers" "$@""#
            #expect(try await Self.shell(refuse, ["--full", "--rounds", "3"], in: folder).0 == 0)
            for arguments in [["--only", "1"], ["--full", "--servers=nchan"]] {
                let (status, output) = try await Self.shell(refuse, arguments, in: folder)
                #expect(status == 1)
                #expect(output.contains("--write shows a whole run: leave out --"), "\(output)")
            }
        }
    }
}
