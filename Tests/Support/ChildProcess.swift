// A program run by a test: started so that it can't outlive the test process, watched through its output file, ended at the latest with
// its last reference. Output goes to a file, not through a pipe, so that a chatty child never waits for a reader.

import Foundation
import Synchronization

/// A running or ended child process.
public final class ChildProcess: Sendable {
    /// The bytes of output that are looked at, from the start of the file.
    static let outputBytesMax = 16 * 1_024 * 1_024

    /// The process id; the program's own, since the launcher replaces itself with it.
    public let pid: Int32
    /// Where standard output and standard error go.
    public let outputFile: String

    private let name: String
    private let folder: TemporaryFolder?
    /// The exit status, once the process has been reaped. Until then its id can't belong to another process.
    private let status = Mutex<Int32?>(nil)

    /// Starts a program.
    ///
    /// - Parameters:
    ///   - executable: an absolute path, or a name looked up in PATH.
    ///   - environment: all of its variables; by default this process's own.
    ///   - place: the network that it sees.
    ///   - outputFile: appended to, and left behind; by default a file that goes with this object.
    /// - Throws: `POSIXError` or a file error if nothing could be started. A program that does not exist ends with status 127.
    public init(
        _ executable: String, arguments: [String] = [], environment: [String: String] = ProcessInfo.processInfo.environment,
        outputFile: String? = nil, namespace: ProcessNamespace = .loopback
    ) throws {
        name = (executable as NSString).lastPathComponent
        folder = try outputFile == nil ? TemporaryFolder("output") : nil
        self.outputFile = outputFile ?? folder?.file("output") ?? "/dev/null"
        let command = namespace.command(executable, arguments)
        pid = try ProcessLauncher.shared.start(
            command.executable, command.arguments, environment: environment, outputFile: self.outputFile)
    }

    deinit {
        kill()
        // SIGKILL does not fail and is not waited out, so this ends at once.
        status.withLock { if $0 == nil { waitpid(pid, nil, 0) } }
    }

    /// Whether it has not ended yet. A suspended process runs.
    public var isRunning: Bool { exitStatus == nil }

    /// The exit status, 128 plus the signal's number if a signal ended it, `nil` while it runs.
    public var exitStatus: Int32? {
        status.withLock { status in
            var raw: Int32 = 0
            if status == nil, waitpid(pid, &raw, WNOHANG) == pid {
                let signal = raw & 0x7F
                status = signal == 0 ? (raw >> 8) & 0xFF : 128 + signal
            }
            return status
        }
    }

    /// Asks it to end (SIGTERM). Nothing, if it has ended.
    public func terminate() { send(SIGTERM) }

    /// Tells it that its files have changed (SIGHUP). Nothing, if it has ended.
    public func hangUp() { send(SIGHUP) }

    /// Ends it without asking (SIGKILL), also a suspended one. Nothing, if it has ended.
    public func kill() { send(SIGKILL) }

    /// Stops it where it stands (SIGSTOP); its sockets stay open.
    public func suspend() { send(SIGSTOP) }

    /// Lets it go on (SIGCONT).
    public func resume() { send(SIGCONT) }

    /// Waits for its end, and returns the status (see `exitStatus`).
    ///
    /// - Throws: `DeadlineExceeded`, with the end of its output, if it still runs then.
    @discardableResult
    public func waitForExit(deadlineSeconds: Double) async throws -> Int32 {
        let deadline = ContinuousClock.now + .seconds(deadlineSeconds)
        while true {
            if let exitStatus { return exitStatus }
            guard ContinuousClock.now < deadline else {
                throw DeadlineExceeded("\(name) (process \(pid)) still runs after \(deadlineSeconds) s. \(lastOutput)")
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// All it has written so far, up to `outputBytesMax`.
    public var output: String {
        guard let file = FileHandle(forReadingAtPath: outputFile) else { return "" }
        let data = try? file.read(upToCount: Self.outputBytesMax)
        return String(decoding: data ?? Data(), as: UTF8.self)
    }

    /// Waits for a complete line of output that contains this text, and returns the first such line without its end.
    ///
    /// - Throws: `DeadlineExceeded`, with the end of its output, if it doesn't come in time or the process ends without it.
    @discardableResult
    public func waitForLine(containing text: String, seconds: Double) async throws -> String {
        let deadline = ContinuousClock.now + .seconds(seconds)
        while true {
            // Asked before the output is read: what a process wrote before its end is there when its end is known.
            let ended = exitStatus
            if let line = completeLines.first(where: { $0.contains(text) }) { return String(line) }
            if let ended {
                throw DeadlineExceeded("\(name) ended with status \(ended) without a line containing \"\(text)\". \(lastOutput)")
            }
            guard ContinuousClock.now < deadline else {
                throw DeadlineExceeded("\(name) wrote no line containing \"\(text)\" in \(seconds) s. \(lastOutput)")
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    private var completeLines: [Substring] {
        output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    }

    /// The end of the output, for an error's text.
    var lastOutput: String {
        let end = output.suffix(2_000)
        return end.isEmpty ? "It wrote nothing." : "It wrote last:\n\(end)"
    }

    /// Under the lock, so that no signal goes to another process that was given the id of a reaped one.
    private func send(_ signal: Int32) {
        status.withLock { status in
            if status == nil { _ = Foundation.kill(pid, signal) }
        }
    }
}
