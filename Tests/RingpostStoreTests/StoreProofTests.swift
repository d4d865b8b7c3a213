// Other processes that write into a store: killed while they do, on a disk that is full, on one that is mounted read-only; and what a
// message costs.
import Foundation
import RingpostCore
import TestSupport
import Testing

@testable import RingpostStore

enum StoreProgram {
    /// Beside the test bundle, so that another build folder is found as well.
    static var path: String {
        let package = URL(fileURLWithPath: #filePath).pathComponents.dropLast(3)
        let fallback = NSString.path(withComponents: package + [".build", "debug", "store-proof"])
        let beside = ["/proc/self/exe", CommandLine.arguments.first ?? ""].map {
            URL(fileURLWithPath: $0).resolvingSymlinksInPath().deletingLastPathComponent().appendingPathComponent("store-proof").path
        }
        return beside.first { FileManager.default.isExecutableFile(atPath: $0) } ?? fallback
    }
}

enum SmallDisk {
    /// Root alone is not enough: a container's may have no mount namespaces.
    static let isPossible: Bool = {
        let probe = Process()
        probe.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
        probe.arguments = ["-m", "true"]
        probe.standardError = FileHandle.nullDevice
        guard geteuid() == 0, (try? probe.run()) != nil else { return false }
        probe.waitUntilExit()
        return probe.terminationStatus == 0
    }()
}

@Suite struct StoreProofTests {
    private let fixture: StoreFixture

    init() throws { fixture = try StoreFixture() }

    private func run(_ arguments: [String], seconds: Double = 120) async throws -> (status: Int32, output: String) {
        let child = try ChildProcess(StoreProgram.path, arguments: arguments)
        return (try await child.waitForExit(deadlineSeconds: seconds), child.output)
    }

    // MARK: Death

    /// Killed again and again, each time in the middle of its writes; each life goes on in the same directory.
    @Test(arguments: StoreDurability.allCases) func whatWasAcknowledgedIsThereAfterAProcessWasKilled(_ durability: StoreDurability)
        async throws
    {
        var lineages: Set<String> = []
        for bytes in [2_000, 60_000, 400_000] {
            let said = fixture.folder.file("said-\(bytes)")
            let child = try ChildProcess(
                StoreProgram.path, arguments: ["write", fixture.path, "--durability", durability.rawValue], outputFile: said)
            try await eventually(within: 60, "it has acknowledged enough", pollMilliseconds: 1) { child.output.utf8.count > bytes }
            child.kill()
            try await child.waitForExit(deadlineSeconds: 10)
            let check = try await run(["check", fixture.path, said, "--durability", durability.rawValue])
            #expect(check.status == 0, "\(check.output)")
            let opened = try #require(check.output.split(separator: "\n").first { $0.hasPrefix("opened") })
            #expect(opened.hasSuffix("whole"))
            lineages.insert(String(opened))
        }
        #expect(lineages.count == 1, "one lineage through all lives")
    }

    /// The check would see it if something were missing.
    @Test func theCheckNoticesWhatIsMissing() async throws {
        let said = fixture.folder.file("said")
        let child = try ChildProcess(StoreProgram.path, arguments: ["write", fixture.path, "--ticks", "50"], outputFile: said)
        #expect(try await child.waitForExit(deadlineSeconds: 60) == 0)
        #expect(child.output.hasSuffix("closed\n"))
        let line = try #require(child.output.split(separator: "\n").last { $0.hasPrefix("there") }).split(separator: " ")
        let more = "\(line[0]) \(line[1]) \(try #require(Int(line[2])) + 1)\n"
        try Data(contentsOf: URL(fileURLWithPath: said)).write(to: URL(fileURLWithPath: said + ".more"))
        let file = try #require(FileHandle(forWritingAtPath: said + ".more"))
        try file.seekToEnd()
        try file.write(contentsOf: Data(more.utf8))
        #expect(try await run(["check", fixture.path, said]).status == 0)
        #expect(try await run(["check", fixture.path, said + ".more"]).status != 0)
    }

    /// A slot of which there is only a head.
    @Test func theCheckTakesASlotWithoutMessages() async throws {
        let opened = try fixture.open(cluster: "proof")
        let write = SlotWrite(slot: 5, head: StoreFixture.head(0), changes: [])
        #expect(await opened.store.write(StoreTick(now: 1_000, slots: [write])) == nil)
        opened.store.close()
        let check = try await run(["check", fixture.path, try fixture.folder.write("there 5 0\n", to: "said")])
        #expect(check.status == 0, "\(check.output)")
    }

    // MARK: File systems

    /// Runs commands in a mount namespace of their own, with a small file system at `data`.
    private func onSmallDisk(megabytes: Int, _ commands: String) async throws -> String {
        let script = """
            mkdir -p "\(fixture.path)" && mount -t tmpfs -o size=\(megabytes)m none "\(fixture.path)" || exit 77
            proof() { "\(StoreProgram.path)" "$@"; }
            \(commands)
            """
        let child = try ChildProcess("/usr/bin/unshare", arguments: ["-m", "sh", "-c", script])
        let status = try await child.waitForExit(deadlineSeconds: 120)
        try #require(status != 77, "\(child.output)")
        return child.output
    }

    @Test(.enabled(if: SmallDisk.isPossible, "small file systems need root and mount namespaces"))
    func aFullDiskEndsTheStoreAndLosesNothing() async throws {
        let said = fixture.folder.file("said")
        let output = try await onSmallDisk(
            megabytes: 24,
            """
            proof write "\(fixture.path)/data" >"\(said)" 2>&1
            mount -o remount,size=200m "\(fixture.path)"
            proof check "\(fixture.path)/data" "\(said)"
            echo "status $?"
            """)
        let lines = try String(contentsOfFile: said, encoding: .utf8).split(separator: "\n")
        #expect(lines.count { $0.hasPrefix("failed") } == 1, "told once")
        #expect(lines.contains { $0.hasPrefix("failed") && $0.contains("no room") })
        #expect(lines.last?.hasPrefix("ended") == true)
        #expect(output.contains("whole") && output.hasSuffix("status 0\n"), "\(output)")
    }

    @Test(.enabled(if: SmallDisk.isPossible, "small file systems need root and mount namespaces"))
    func aDiskThatIsFullFromTheBeginningIsRefused() async throws {
        let output = try await onSmallDisk(
            megabytes: 1,
            """
            dd if=/dev/zero of="\(fixture.path)/rest" bs=4096 2>/dev/null
            proof write "\(fixture.path)/data"
            proof write "\(fixture.path)"
            """)
        let refusals = output.split(separator: "\n").filter { $0.hasPrefix("refused") }
        #expect(refusals.count == 2 && refusals.allSatisfy { $0.contains("no room") }, "\(output)")
    }

    @Test(.enabled(if: SmallDisk.isPossible, "small file systems need root and mount namespaces"))
    func aReadOnlyDiskIsRefused() async throws {
        let output = try await onSmallDisk(
            megabytes: 50,
            """
            proof write "\(fixture.path)/data" --ticks 1
            mount -o remount,ro "\(fixture.path)"
            proof write "\(fixture.path)/data" --ticks 1
            proof write "\(fixture.path)/other" --ticks 1
            """)
        let refusals = output.split(separator: "\n").filter { $0.hasPrefix("refused") }
        #expect(refusals.count == 2 && refusals.allSatisfy { $0.contains("read-only") }, "\(output)")
    }

    // MARK: Cost

    /// A message is written to the log and to its file, and moved by no compaction.
    @Test func aMessageIsWrittenForThreeTimesItsPayloadAtMost() async throws {
        let measured = try await run(
            ["measure", fixture.path, "--durability", "written", "--messages", "60000", "--payload-bytes", "512"])
        #expect(measured.status == 0, "\(measured.output)")
        for name in ["bytes-written-per-payload-byte", "bytes-written-per-payload-byte-compacted"] {
            let line = measured.output.split(separator: "\n").first { $0.hasPrefix(name + " ") }
            let factor = try #require(line?.split(separator: " ").last.flatMap { Double($0) })
            // Less than twice would be a message that is not written at all.
            #expect(factor > 2 && factor <= 3, "\(measured.output)")
        }
    }
}
