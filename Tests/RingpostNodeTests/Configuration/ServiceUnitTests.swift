// The systemd unit of the guide: systemd takes each of its lines, and its times and bounds fit what a node needs.
import Foundation
import RingpostCore
import TestSupport
import Testing

@testable import RingpostNode

@Suite struct ServiceUnitTests {
    private static let path = "docs/guide/ringpost.service"

    /// By section and key, the values.
    private let settings: [String: [String]]
    private let text: String

    init() throws {
        text = try Documents.text(Self.path)
        var (settings, section): ([String: [String]], String) = ([:], "")
        for line in text.split(separator: "\n") where !line.hasPrefix("#") {
            if line.hasPrefix("[") {
                section = String(line.dropFirst().dropLast())
                continue
            }
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            try #require(parts.count == 2 && !section.isEmpty, "\(line)")
            settings["\(section).\(parts[0])", default: []].append(parts[1])
        }
        self.settings = settings
    }

    private func number(_ key: String) throws -> Int64 { try #require(settings[key]?.first.flatMap(Int64.init), "\(key)") }

    @Test func aNodeHasTheTimeThatItNeedsToLeave() throws {
        let needed = DrainMachine.handOverMillisecondsDefault + NodeConfiguration(id: "n1").drainMilliseconds
        #expect(try number("Service.TimeoutStopSec") * 1_000 >= needed + 20_000)
        #expect(settings["Service.KillMode"] == ["mixed"] && settings["Service.KillSignal"] == ["SIGTERM"])
    }

    @Test func itComesBackWhenItHasDiedAndStaysDownWhenItWasToldTo() throws {
        #expect(settings["Service.Restart"] == ["on-failure"])
        let session = Int64(NodeConfiguration(id: "n1").sessionTimeoutMilliseconds)
        #expect(try number("Service.RestartSec") * 1_000 > session, "its old session is over by then")
        #expect(try number("Unit.StartLimitBurst") * (number("Service.RestartSec") + 60) <= number("Unit.StartLimitIntervalSec"))
    }

    @Test func itsDataLieWhereItMayWriteAndNobodyElseReads() throws {
        #expect(try #require(settings["Service.ExecStart"]?.first).hasSuffix(" --data /var/lib/ringpost/data"))
        #expect(settings["Service.StateDirectory"] == ["ringpost"] && settings["Service.StateDirectoryMode"] == ["0700"])
    }

    @Test func thereIsADescriptorForEachSocket() throws {
        let limits = NodeLimits()
        #expect(try number("Service.LimitNOFILE") >= Int64(limits.socketsMax + NodeQuotas.descriptorsKept))
    }

    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/systemd-analyze"), "systemd is not here"))
    func systemdTakesEachLine() async throws {
        let folder = try TemporaryFolder("unit")
        func verify(_ text: String) async throws -> String {
            // The program is not installed where tests run.
            let unit = try folder.write(text.replacing("/usr/local/bin/ringpost", with: "/bin/true"), to: "ringpost.service")
            let process = try ChildProcess("/usr/bin/systemd-analyze", arguments: ["verify", "--man=no", unit])
            let status = try await process.waitForExit(deadlineSeconds: 30)
            return status == 0 ? process.output : "status \(status): \(process.output)"
        }
        #expect(try await verify(text) == "")
        #expect(try await verify(text.replacing("TimeoutStopSec", with: "TimeoutStopSeconds")).contains("Unknown key"))
    }
}
