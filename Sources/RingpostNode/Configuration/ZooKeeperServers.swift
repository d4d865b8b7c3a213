// Where a cluster's ZooKeeper is, as people write it for every client: servers with their ports, and a path as the root of all znodes.

/// Addresses of ZooKeeper's servers, and the path below which the cluster keeps its znodes.
public struct ZooKeeperServers: Hashable, Sendable, CustomStringConvertible {
    /// The port where a server listens unless told otherwise.
    public static let defaultPort = 2_181

    private let servers: [ListenAddress]
    /// `/app/push`; empty for ZooKeeper's own root.
    public let chroot: String

    /// Reads `host:port[,host:port…][/path]`; an IPv6 address stands in brackets, a port may be left out.
    ///
    /// - Throws: a sentence that says which part is not right.
    public init(_ text: String) throws(NodeError) {
        let slash = text.firstIndex(of: "/") ?? text.endIndex
        var servers: [ListenAddress] = []
        for part in text[..<slash].split(separator: ",", omittingEmptySubsequences: false) {
            let part = part.trimmingPrefix { $0 == " " }
            let hasPort = part.hasPrefix("[") ? !part.hasSuffix("]") : part.contains(":")
            guard let server = ListenAddress(hasPort ? String(part) : "\(part):\(Self.defaultPort)"), server.port > 0,
                HostName.isValid(server.host), !server.isWildcard
            else { throw NodeError("zookeeper \"\(text)\": \"\(part)\" is not host:port; an IPv6 address stands in brackets") }
            servers.append(server)
        }
        self.servers = servers
        chroot = text[slash...] == "/" ? "" : String(text[slash...])
        let names = chroot.split(separator: "/", omittingEmptySubsequences: false).dropFirst()
        guard names.allSatisfy({ name in !["", ".", ".."].contains(name) && name.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F } }) else {
            throw NodeError("zookeeper \"\(text)\": \"\(chroot)\" is no path of a znode, as /app/push")
        }
    }

    /// For the C library, which takes an IPv6 address without brackets; without the path, which this program prefixes itself: the library
    /// could not make it.
    var connectString: String { servers.map { "\($0.host):\($0.port)" }.joined(separator: ",") }

    /// As it was written.
    public var description: String { servers.map { "\($0)" }.joined(separator: ",") + chroot }
}
