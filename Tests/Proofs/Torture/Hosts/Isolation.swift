// Takes this process into network and mount namespaces of its own, by becoming `unshare` and then itself again. Nothing that it does to
// routes and filters there touches the machine, and nothing that it sends can leave.

import Foundation
import TestSupport

enum Isolation {
    /// Says to the second life of this process that it is inside.
    private static let mark = "RINGPOST_TORTURE_INSIDE"
    private static let unshare = "/usr/bin/unshare"

    static var isInside: Bool { ProcessInfo.processInfo.environment[mark] != nil }

    /// Begins this process anew inside; returns only if the machine doesn't allow it, with the reason.
    static func enter() async -> String {
        let options = ["--net", "--mount"] + (geteuid() == 0 ? [] : ["--map-root-user"])
        // What will be needed, tried in namespaces that go at once.
        let trial = "mount -t tmpfs none /run && mkdir /run/netns && ip netns add a && ip link add v type veth peer name w netns a"
        let path = "\(ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"):/usr/sbin:/sbin"
        do {
            let script = "export PATH='\(path)'; \(trial)"
            let probe = try ChildProcess(unshare, arguments: options + ["--", "/bin/sh", "-c", script])
            let status = try await probe.waitForExit(deadlineSeconds: 20)
            guard status == 0 else { return probe.output.trimmingCharacters(in: .whitespacesAndNewlines) }
        } catch {
            return "\(error)"
        }
        // The link itself would be read by unshare, and name unshare.
        let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().path
        setenv(mark, "1", 1)
        setenv("PATH", path, 1)
        let arguments = [unshare] + options + ["--", program] + CommandLine.arguments.dropFirst()
        let pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
        execv(unshare, pointers)
        return "\(unshare): \(String(cString: strerror(errno)))"
    }
}
