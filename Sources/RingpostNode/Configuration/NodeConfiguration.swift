// Everything that can be set on a node, with its default.
import RingpostCore
import ZooKeeperClient

/// A node's settings.
public struct NodeConfiguration: Sendable {
    /// Unique in the cluster.
    public var id: String
    /// `nil` runs a whole service of one node without ZooKeeper.
    public var zookeeper: ZooKeeperServers?
    /// For ZooKeeper: nobody else may read or change what the cluster keeps there.
    public var zookeeperCredentials: ZooKeeperCredentials?
    /// Where these were read.
    public internal(set) var zookeeperAuthFile: String?
    /// The operator says that strangers are kept away from a ZooKeeper without credentials by other means.
    public var allowsOpenZooKeeper = false
    /// The cluster's name in ZooKeeper and in handshakes.
    public var cluster = "ringpost"
    /// For sockets of clients.
    public var client = ListenAddress(host: "127.0.0.1", port: 8_080)
    /// For producers and operators.
    public var api = ListenAddress(host: "127.0.0.1", port: 8_081)
    /// For other nodes, and producers that use links.
    public var link = ListenAddress(host: "127.0.0.1", port: 8_082)
    /// The host name under which others reach this node; the hosts that the ports listen on unless given.
    public var advertise: String?
    /// The client port's number under that name, where it is another one than here.
    public var advertiseClientPort: Int?
    /// Where others reach the link port; the port itself, under the name above, unless given.
    public var advertiseLink: ListenAddress?
    /// Share of the ring; with 0 the node only routes.
    public var weight: UInt16 = 100
    /// Where the node runs, for people.
    public var zone: String?
    /// S, for a cluster that this node founds.
    public var sessionTimeoutMilliseconds = 6_000
    /// How many nodes have each message, for a cluster that this node founds; 2 unless given.
    public var copies: Int?
    /// When the node leaves in order: over what time its sockets are asked to go elsewhere.
    public var drainMilliseconds: Int64 = 30_000
    /// Event loops; as many as cores unless given.
    public var shards: Int?
    /// Origins besides loopback whose pages may use the client port; `*` for all.
    public var allowedOrigins: [String] = []
    /// Names under which clients and producers reach the node besides its own, where they are asked for no token or key.
    public var hostNames: [String] = []
    /// Channels that any client may publish to, where clients are asked for no token.
    public var clientPublish = NamePatterns.none
    /// Users that any client may publish to, likewise.
    public var clientPublishUsers = NamePatterns.none
    /// Keeps copies for longer than the process lives; in memory only unless given.
    public var store: StoreConfiguration?
    /// Whom the node believes.
    public var auth = AuthConfiguration()
    /// TLS on the client and API ports; plain unless given.
    public var tls: TLSFiles?
    /// TLS with certificates of both sides on links; needs an authority.
    public var linkTLS: TLSFiles?
    /// A file with the secret that links prove to each other: one line of at least 32 bytes, and a second while it is being replaced.
    public var linkSecretFile: String?
    /// Producers may come to the link port; without it they use the API port.
    public var takesLinkProducers = true
    /// What the node takes before it says no.
    public var limits = NodeLimits()

    /// Rules for channels by the beginning of their names. All nodes of a cluster need the same.
    public var namespaces: NamespaceTable {
        get { limits.mailbox.namespaces }
        set { limits.mailbox.namespaces = newValue }
    }

    /// The defaults: loopback only, no ZooKeeper.
    public init(id: String) { self.id = id }

    /// What would be passed over is refused: long histories need a data directory, and copies other nodes.
    public func checkWhatItNeeds() throws(NodeError) {
        if let copies, copies > 1, zookeeper == nil {
            throw NodeError(
                "--copies \(copies) says how many nodes have a message, and a node without ZooKeeper is alone: --zookeeper HOST:PORT")
        }
        if store != nil { return }
        if limits.mailbox.storedBytesMax != MailboxLimits().storedBytesMax {
            throw NodeError("data-megabytes says how much a data directory keeps, and none is given: --data DIR")
        }
        for (option, value, most) in [
            ("--history-messages", limits.mailbox.historyMessagesMax, MailboxLimits.historyMessagesMost.memory),
            ("--history-bytes", limits.mailbox.historyBytesMax, MailboxLimits.historyBytesMost.memory),
        ] where value > most {
            throw NodeError(
                "\(option) \(value) is more than memory keeps of one user or channel (\(most)): give a data directory, --data DIR")
        }
    }

    /// Without ZooKeeper: where revocations are kept over a restart; `nil` for nowhere.
    var revocationsFile: String? { zookeeper == nil ? auth.revocationsFile ?? store?.revocationsFile : nil }

    /// Clients may publish without being asked who they are.
    var opensPublishing: Bool { !clientPublish.isEmpty || !clientPublishUsers.isEmpty }

    /// Others than this machine reach one of its ports.
    var isOpenToOthers: Bool { [client, api, link].contains { !HostName.isLoopback($0.host) } }

    /// Strangers may reach the node, and its ZooKeeper asks for nothing: an alarm that stays.
    var isZooKeeperOpen: Bool { zookeeper != nil && zookeeperCredentials == nil && isOpenToOthers }
}
