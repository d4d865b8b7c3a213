// Starts child processes that cannot outlive this process, however it dies. `setpriv --pdeathsig KILL` asks the kernel to kill the child
// when its parent dies; and since "the parent" means the *thread* that forked, all are forked from one thread that never ends.

import Foundation
import Synchronization

/// The one thread that forks, and how it does it.
final class ProcessLauncher: Sendable {
    static let shared = ProcessLauncher()

    private typealias Job = @Sendable () -> Void
    private let jobs = Mutex<[Job]>([])
    private let available = DispatchSemaphore(value: 0)

    private init() {
        let thread = Thread { [self] in
            while true {
                available.wait()
                jobs.withLock { $0.isEmpty ? nil : $0.removeFirst() }?()
            }
        }
        thread.name = "process launcher"
        thread.start()
    }

    /// Starts a process with standard output and error appended to a file, no input, no other descriptors, and all signals as they
    /// are by default. Waits until it has been started.
    ///
    /// - Throws: `POSIXError` if the launcher can't be started. What can't be executed itself ends with status 127 or 126.
    func start(_ executable: String, _ arguments: [String], environment: [String: String], outputFile: String) throws -> pid_t {
        // A parent that dies before the child has asked for the signal would never send it: so the child looks, after asking, whether
        // it still has the parent it was born to, and only then becomes the program.
        let guarded = "[ \"$PPID\" = \"$0\" ] || exit 125; exec \"$@\""
        let command =
            ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--", "/bin/sh", "-c", guarded, "\(getpid())", executable] + arguments
        let variables = environment.map { "\($0.key)=\($0.value)" }
        let result = SpawnResult()
        jobs.withLock {
            $0.append { result.set(Self.spawn(command, variables, outputFile: outputFile)) }
        }
        available.signal()
        let (code, pid) = result.wait()
        guard code == 0 else { throw POSIXError(POSIXErrorCode(rawValue: code) ?? .EIO) }
        return pid
    }

    private static func spawn(_ command: [String], _ variables: [String], outputFile: String) -> (code: Int32, pid: pid_t) {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, outputFile, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // A test's own sockets in a child would keep connections open that the test has closed. (glibc's closefrom action is hidden
        // from Swift, which builds without _GNU_SOURCE. One opened between listing and forking slips through, if not close-on-exec.)
        for descriptor in openDescriptors() where descriptor > 2 { posix_spawn_file_actions_addclose(&actions, descriptor) }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var all = sigset_t()
        sigfillset(&all)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

        let arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) } + [nil]
        let environment: [UnsafeMutablePointer<CChar>?] = variables.map { strdup($0) } + [nil]
        defer { for pointer in arguments + environment { free(pointer) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, command[0], &actions, &attributes, arguments, environment)
        return (code, pid)
    }

    private static func openDescriptors() -> [Int32] {
        let names = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
        return (names ?? []).compactMap { Int32($0) }
    }
}

/// Brings a result from the launcher's thread to the one that waits for it.
private final class SpawnResult: Sendable {
    private let done = DispatchSemaphore(value: 0)
    private let result = Mutex<(code: Int32, pid: pid_t)>((0, 0))

    func set(_ spawned: (code: Int32, pid: pid_t)) {
        result.withLock { $0 = spawned }
        done.signal()
    }

    func wait() -> (code: Int32, pid: pid_t) {
        done.wait()
        return result.withLock { $0 }
    }
}
