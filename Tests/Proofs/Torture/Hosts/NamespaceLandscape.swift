// Every host a network namespace of its own, around this process's one, which routes between them: what goes from one host to another
// passes here and is dropped here, so that neither end learns anything. The namespaces go with this process.

import Foundation
import TestSupport

struct NamespaceLandscape: Landscape {
    /// What drops packets.
    private enum Knife: String {
        case iptables
        /// Policy routing, where there is no iptables. Drops as silently.
        case rules = "ip rule"
    }

    let cutsWays = true
    private let knife: Knife
    private let namespaces: [String: ProcessNamespace]

    var mode: String { "network namespaces, ways cut by \(knife.rawValue)" }

    /// Makes a namespace for each host. This process must be in namespaces of its own already (``Isolation``).
    init(hosts: [String]) async throws {
        knife = ["/usr/sbin/iptables", "/sbin/iptables"].contains { FileManager.default.isExecutableFile(atPath: $0) } ? .iptables : .rules
        // A folder of our own: what runs outside sees nothing of these namespaces, and they end with the last process in them.
        var commands = [
            "set -e", "mount -t tmpfs none /run", "mkdir /run/netns", "ip link set lo up", "echo 1 >/proc/sys/net/ipv4/ip_forward",
        ]
        var namespaces: [String: ProcessNamespace] = [:]
        for (number, host) in zip(1..., hosts) {
            let (near, far) = ("10.77.\(number).254", "10.77.\(number).1")
            commands += [
                "ip netns add \(host)", "ip link add v-\(host) type veth peer name eth0 netns \(host)", "ip link set v-\(host) up",
                "ip addr add \(near)/24 dev v-\(host)", "ip -n \(host) link set lo up", "ip -n \(host) link set eth0 up",
                "ip -n \(host) addr add \(far)/24 dev eth0", "ip -n \(host) route add default via \(near)",
            ]
            namespaces[host] = ProcessNamespace(host: far, namespace: host)
        }
        self.namespaces = namespaces
        try await Self.run(commands.joined(separator: "\n"))
    }

    func namespace(_ host: String) throws -> ProcessNamespace {
        guard let namespace = namespaces[host] else { throw TortureError("there is no host \(host)") }
        return namespace
    }

    func cut(_ one: String, _ other: String) async throws {
        let (here, there) = (try namespace(one).host, try namespace(other).host)
        let commands = [(here, there), (there, here)].map { from, to in
            switch knife {
            case .iptables: "iptables -w -A FORWARD -s \(from) -d \(to) -j DROP"
            case .rules: "ip rule add from \(from) to \(to) pref 100 blackhole"
            }
        }
        try await Self.run("set -e\n" + commands.joined(separator: "\n"))
    }

    func heal() async throws {
        switch knife {
        case .iptables: try await Self.run("iptables -w -F FORWARD")
        case .rules: try await Self.run("while ip rule del pref 100 2>/dev/null; do :; done")
        }
    }

    private static func run(_ script: String) async throws {
        var environment = ProcessInfo.processInfo.environment
        environment["PATH"] = "\(environment["PATH"] ?? "/usr/bin:/bin"):/usr/sbin:/sbin"
        let shell = try ChildProcess("/bin/sh", arguments: ["-c", script], environment: environment)
        guard try await shell.waitForExit(deadlineSeconds: 30) == 0 else {
            throw TortureError("the network could not be changed: \(shell.output)")
        }
    }
}
