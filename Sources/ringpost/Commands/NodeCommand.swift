// `ringpost node`: runs one node until it is told to stop.
import ArgumentParser
import Logging
import RingpostNode
import ServiceLifecycle
import UnixSignals

struct NodeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "node",
        abstract: "Run a node.",
        discussion: """
            Without --zookeeper it is a whole service of one node, for trying out and for development. With it, the node joins the
            cluster and takes its share of the ring.

            Each option can also be given as an environment variable (--session-timeout: RINGPOST_SESSION_TIMEOUT) or in a JSON file
            ({"id": "n1", "sessionTimeout": 6000}); options win over the environment, and the environment over the file.

            With --data a node's messages outlive it: it comes back with them, whatever has ended it. The directory is this node's alone.

            A port that others than this machine reach needs protection: the client port keys that clients' tokens are checked with
            (--token-keys, --token-jwks), the API port API keys (--api-keys), the link port certificates or a secret. Files are read
            again when they change, and on SIGHUP.

            EXAMPLE
              ringpost node
              ringpost node --data ./data
              ringpost node --id n1 --zookeeper 127.0.0.1:2181 --data /var/lib/ringpost/data
              ringpost node --client 0.0.0.0:8080 --token-keys keys/ --tls-certificate server.pem --tls-key server.key
            """)

    @Option(help: "This node's id, unique in the cluster. (default: n1, without --zookeeper)")
    var id: String?
    @Option(help: "ZooKeeper servers, host:port[,host:port…][/path]; the path is made if it is not there.")
    var zookeeper: String?
    @Option(help: "The cluster's name. (default: ringpost)")
    var cluster: String?
    @Option(help: "Where clients connect, host:port. (default: 127.0.0.1:8080)")
    var client: String?
    @Option(help: "Where producers and operators connect, host:port. (default: 127.0.0.1:8081)")
    var api: String?
    @Option(help: "Where other nodes connect, host:port. (default: 127.0.0.1:8082)")
    var link: String?
    @Option(
        help: ArgumentHelp(
            "The host name under which others reach this node; with a port, if clients reach the client port under another number. (default: the hosts that the ports listen on)",
            valueName: "host[:port]"))
    var advertise: String?
    @Option(help: "Where others reach this node's link port, host:port, if something stands before it.")
    var advertiseLink: String?
    @Option(help: "Share of the ring relative to the others', 0 to 65535; with 0 it only routes. (default: 100)")
    var weight: Int?
    @Option(help: "Where the node runs, for people.")
    var zone: String?
    @Option(
        help: ArgumentHelp(
            "A directory that keeps what this node holds over a restart; made if it is not there. (default: in memory only)",
            valueName: "dir"))
    var data: String?
    @Option(help: "fsync: a message is kept when the disk has it; written: when the kernel has it. (default: fsync)")
    var durability: String?
    @Option(help: "MiB of messages that the directory keeps; the oldest go first. (default: 16384)")
    var dataMegabytes: Int?
    @Option(help: "Event loops. (default: one a core)")
    var loops: Int?
    @Option(
        help: "Milliseconds after which ZooKeeper takes a silent node for dead; decided by whoever creates the cluster. (default: 6000)")
    var sessionTimeout: Int?
    @Option(
        help: "How many nodes have each message, 1 to 3, where there are so many; decided by whoever creates the cluster. (default: 2)")
    var copies: Int?
    @Option(help: "When the node leaves in order, over how many seconds its sockets are asked to go elsewhere. (default: 30)")
    var drainSeconds: Int?
    @Option(help: "An origin whose pages may use the client port, besides loopback ones; * for all. Repeatable.")
    var allowOrigin: [String] = []
    @Option(
        help: ArgumentHelp(
            "A name under which clients and producers reach this node, as a proxy's; needed where they bring no token. Repeatable.",
            valueName: "name"))
    var host: [String] = []
    @Option(
        help: "A channel that clients may publish to on their WebSockets, with all below it: game also game:42; * for all. Repeatable.")
    var clientPublish: [String] = []
    @Flag(help: "Clients may publish to users.")
    var clientPublishUsers = false
    @OptionGroup(title: "Authentication")
    var auth: NodeAuthOptions
    @Option(help: "Sets a limit, as sockets-per-user=20; `ringpost limits` lists them. Repeatable.")
    var limit: [String] = []
    @Option(help: "A JSON file with rules for channels by the beginning of their names; the same for all nodes.")
    var namespaces: String?
    @Option(help: "Messages that one user or channel keeps; the oldest goes first. More than 10000 only with --data. (default: 1000)")
    var historyMessages: Int?
    @Option(help: "Bytes of messages that one user or channel keeps. More than 16777216 only with --data. (default: 1048576)")
    var historyBytes: Int?
    @Option(help: "The time for which a user or channel keeps a message, in seconds; 0 for no bound. (default: 0)")
    var historySeconds: Int?
    @Option(help: "Messages that one channel takes in a second, and twice as many at once. (default: 2000)")
    var channelRate: Int?
    @Option(help: "Sockets of one event loop that may listen to one channel. (default: 50000)")
    var channelSubscribersMax: Int?
    @Option(
        help: "Connections of clients that the node takes in a second; others are told when to come back. (default: 5000 an event loop)")
    var connectRate: Int?
    @Option(help: "Connections of clients that it takes at once. (default: two seconds' worth)")
    var connectBurst: Int?
    @Option(help: "The largest payload in bytes. (default: 65536)")
    var payloadMax: Int?
    @Option(help: "trace, debug, info, notice, warning, error or critical. (default: info)")
    var logLevel: String?
    @Option(help: "A JSON file with the same settings.")
    var config: String?

    func run() async throws {
        let settings: NodeSettings
        do throws(NodeError) { settings = try NodeSettings(options: self) } catch { throw ValidationError(error.description) }
        let log = LogOutput()
        LoggingSystem.bootstrap { log.handler(label: $0, level: settings.logLevel) }
        let logger = Logger(label: "ringpost.\(settings.node.id)")
        let node = Node(settings.node, logger: logger, log: log)
        // A node that has drained by an operator's order ends by itself, and in order.
        let service = ServiceGroupConfiguration.ServiceConfiguration(
            service: node, successTerminationBehavior: .gracefullyShutdownGroup)
        let group = ServiceGroup(configuration: ServiceGroupConfiguration(services: [service], logger: logger))
        // Not the group's own handling: that one hears the first signal only, and a second one hastens the drain.
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup)
        let listening = Task {
            var isFirst = true
            for await signal in signals {
                if signal == .sighup {
                    node.reload()
                    continue
                }
                if isFirst { await group.triggerGracefulShutdown() } else { node.hasten() }
                isFirst = false
            }
        }
        defer { listening.cancel() }
        do {
            try await group.run()
        } catch {
            if error is NodeError { logger.critical("\(error)") }
            await log.flush()
            throw error is NodeError ? ExitCode.failure : error
        }
        await log.flush()
    }
}
