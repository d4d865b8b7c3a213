// A small file system in memory that only some processes see: it lies in a mount namespace of its own, which a sleeping process keeps. Whoever
// is started in there finds it at its path; for everybody else there is an empty folder.

import Foundation
import TestSupport

final class SmallDisk: Sendable {
    /// Mounts need a right that test machines don't always give.
    static let isPossible: Bool = {
        let probe = Process()
        probe.executableURL = URL(fileURLWithPath: "/usr/bin/unshare")
        probe.arguments = ["-m", "sh", "-c", "mount -t tmpfs none /mnt"]
        (probe.standardOutput, probe.standardError) = (FileHandle.nullDevice, FileHandle.nullDevice)
        guard (try? probe.run()) != nil else { return false }
        probe.waitUntilExit()
        return probe.terminationStatus == 0
    }()

    private let folder: TemporaryFolder
    private let keeper: ChildProcess

    /// Where it is, for those who are started in there.
    var path: String { folder.path }
    /// Where this process finds it.
    var outsidePath: String { "/proc/\(keeper.pid)/root\(folder.path)" }
    /// The command that runs another one in there, as the same process.
    var entering: [String] { ["/usr/bin/nsenter", "--mount=/proc/\(keeper.pid)/ns/mnt", "--"] }

    private init(_ folder: TemporaryFolder, _ keeper: ChildProcess) { (self.folder, self.keeper) = (folder, keeper) }

    static func mount(megabytes: Int) async throws -> SmallDisk {
        let folder = try TemporaryFolder("small-disk")
        let script = "mount -t tmpfs -o size=\(megabytes)m none '\(folder.path)' && echo mounted && exec sleep 100000"
        let keeper = try ChildProcess("/usr/bin/unshare", arguments: ["-m", "--propagation", "private", "sh", "-c", script])
        try await keeper.waitForLine(containing: "mounted", seconds: 30)
        return SmallDisk(folder, keeper)
    }

    /// Mounts it anew with other options; it keeps what is on it.
    func remount(_ options: String) async throws {
        let command = entering + ["mount", "-o", "remount,\(options)", path]
        let process = try ChildProcess(command[0], arguments: Array(command.dropFirst()))
        guard try await process.waitForExit(deadlineSeconds: 30) == 0 else { throw HarnessError(process.output) }
    }
}
