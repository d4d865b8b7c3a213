// Where a process runs: on loopback, as nearly everything does, or as a host of its own in a network namespace that its starter has made.

/// A place for a process, and the address under which it is reached there.
public struct ProcessNamespace: Hashable, Sendable {
    /// The starter's own network, on 127.0.0.1.
    public static let loopback = ProcessNamespace(host: "127.0.0.1", namespace: nil)

    /// The address that servers listen on.
    public let host: String
    /// A namespace's name, as `ip netns` has it; `nil` for the starter's own.
    public let namespace: String?

    /// A place with its address.
    public init(host: String, namespace: String?) {
        self.host = host
        self.namespace = namespace
    }

    /// The command that runs a program there. `nsenter` replaces itself with the program, so the process id stays.
    func command(_ executable: String, _ arguments: [String]) -> (executable: String, arguments: [String]) {
        guard let namespace else { return (executable, arguments) }
        return ("/usr/bin/nsenter", ["--net=/run/netns/\(namespace)", "--", executable] + arguments)
    }
}
