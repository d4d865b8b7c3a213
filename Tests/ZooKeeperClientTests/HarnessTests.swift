// The harness itself: what other tests rely on without looking.

import Foundation
import TestSupport
import Testing

extension ZooKeeperTests {
    @Suite struct Harness {
        @Test func portsAreHandedOutOnce() throws {
            let ports = try (0..<20).flatMap { _ in try FreePorts.take(5) }
            #expect(Set(ports).count == 100)
        }

        @Test func aChildWritesIsAwaitedAndEnds() async throws {
            let child = try ChildProcess(
                "/bin/sh", arguments: ["-c", "echo out $A; echo error >&2; read x || echo no input; exit 3"],
                environment: ["A": "b", "PATH": "/bin"])
            #expect(try await child.waitForLine(containing: "out", seconds: 10) == "out b")
            try await child.waitForLine(containing: "no input", seconds: 10)
            #expect(try await child.waitForExit(deadlineSeconds: 10) == 3)
            #expect(child.output == "out b\nerror\nno input\n")
            #expect(!child.isRunning)
            let error = await #expect(throws: DeadlineExceeded.self) { try await child.waitForLine(containing: "more", seconds: 10) }
            #expect(error?.description.contains("ended with status 3") == true)
        }

        @Test func aChildIsStoppedGoesOnAndIsKilled() async throws {
            let child = try ChildProcess("/bin/sleep", arguments: ["1000"])
            let state = { try String(contentsOfFile: "/proc/\(child.pid)/stat", encoding: .utf8).split(separator: " ")[2] }
            try await eventually(within: 10, "the program itself, after its launcher") {
                try String(contentsOfFile: "/proc/\(child.pid)/comm", encoding: .utf8) == "sleep\n"
            }
            child.suspend()
            try await eventually(within: 10, "the stop") { try state() == "T" }
            child.resume()
            try await eventually(within: 10, "going on") { try state() == "S" }
            child.suspend()
            child.kill()
            #expect(try await child.waitForExit(deadlineSeconds: 10) == 128 + SIGKILL)
            child.terminate()
            let error = await #expect(throws: DeadlineExceeded.self) {
                let other = try ChildProcess("/bin/sleep", arguments: ["1000"])
                try await other.waitForExit(deadlineSeconds: 0.1)
            }
            #expect(error?.description.contains("still runs") == true)
        }

        @Test func aDroppedChildIsGone() async throws {
            let pid = try ChildProcess("/bin/sleep", arguments: ["1000"]).pid
            #expect(kill(pid, 0) == -1)
        }

        @Test func aChildDiesWithTheProcessThatStartedIt() async throws {
            // Our own launcher's command, started by a shell that is killed: the kernel must take the sleep along.
            let shell = try ChildProcess(
                "/bin/sh", arguments: ["-c", "setpriv --pdeathsig KILL -- sleep 1000 & echo child $!; wait"])
            let line = try await shell.waitForLine(containing: "child", seconds: 10)
            let pid = try #require(Int32(line.dropFirst("child ".count)))
            try await eventually(within: 10, "the sleep") {
                try String(contentsOfFile: "/proc/\(pid)/comm", encoding: .utf8) == "sleep\n"
            }
            shell.kill()
            try await eventually(within: 10, "the end of the sleep") {
                let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8)
                return stat.map { $0.contains(") Z ") } ?? true
            }
        }

        @Test func aWaitInVainSaysForWhat() async throws {
            let error = await #expect(throws: DeadlineExceeded.self) {
                try await eventually(within: 0.05, "the moon") { false }
            }
            #expect(error?.description == "Waited 0.05 s in vain for: the moon.")
        }

        @Test func aFolderGoesWithItsOwner() throws {
            let path = try {
                let folder = try TemporaryFolder("gone")
                try folder.write("text", to: "file")
                #expect(FileManager.default.fileExists(atPath: folder.file("file")))
                return folder.path
            }()
            #expect(!FileManager.default.fileExists(atPath: path))
        }

        @Test func aServerKeepsPortAndDataOverARestart() async throws {
            let server = try await ZooKeeperServer.start()
            #expect(server.mode == "standalone" && server.ask("ruok") == "imok")
            try await server.restart()
            #expect(server.ask("ruok") == "imok")
            server.kill()
            #expect(server.mode == nil && !server.isRunning)
            try await server.start()
            await server.stop()
            #expect(!server.isRunning)
        }
    }
}
