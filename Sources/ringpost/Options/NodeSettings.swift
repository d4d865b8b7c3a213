// A node's settings from three places: options over environment over file. The reading is swift-configuration's; what
// stands here is which settings there are, and a sentence for each that makes no sense.
import Configuration
import Logging
import RingpostCore
import RingpostNode

struct NodeSettings {
    private(set) var node: NodeConfiguration
    let logLevel: Logger.Level

    init(options: NodeCommand) throws(NodeError) {
        let values = Values(options)
        var reader = SettingsReader(options: values.given)
        if let path = try reader.text("config") { try reader.add(file: path, known: values.names.subtracting(["config"])) }
        logLevel = try Self.logLevel(reader)
        node = try Self.node(reader)
    }

    /// What was given as options, and which settings there are at all.
    private struct Values {
        private(set) var given: [AbsoluteConfigKey: ConfigValue] = [:]
        private(set) var names: Set<String> = []

        init(_ options: NodeCommand) {
            let texts = [
                "id": options.id, "zookeeper": options.zookeeper, "cluster": options.cluster, "client": options.client, "api": options.api,
                "link": options.link, "advertise": options.advertise, "advertiseLink": options.advertiseLink, "zone": options.zone,
                "logLevel": options.logLevel, "config": options.config, "namespaces": options.namespaces,
                "data": options.data, "durability": options.durability,
            ]
            for (name, text) in texts.merging(options.auth.texts, uniquingKeysWith: { $1 }) { set(name, text.map { .string($0) }) }
            let numbers = [
                "weight": options.weight, "loops": options.loops, "sessionTimeout": options.sessionTimeout,
                "payloadMax": options.payloadMax, "drainSeconds": options.drainSeconds, "channelRate": options.channelRate,
                "channelSubscribersMax": options.channelSubscribersMax, "connectRate": options.connectRate,
                "connectBurst": options.connectBurst, "historyMessages": options.historyMessages, "historyBytes": options.historyBytes,
                "historySeconds": options.historySeconds, "copies": options.copies, "dataMegabytes": options.dataMegabytes,
            ]
            for (name, number) in numbers.merging(options.auth.numbers, uniquingKeysWith: { $1 }) { set(name, number.map { .int($0) }) }
            let lists = [
                "allowOrigin": options.allowOrigin, "host": options.host, "clientPublish": options.clientPublish, "limit": options.limit,
            ]
            for (name, list) in lists.merging(options.auth.lists, uniquingKeysWith: { $1 }) {
                set(name, list.isEmpty ? nil : .stringArray(list))
            }
            for (name, flag) in options.auth.flags.merging(["clientPublishUsers": options.clientPublishUsers], uniquingKeysWith: { $1 }) {
                set(name, flag ? .bool(true) : nil)
            }
        }

        private mutating func set(_ name: String, _ content: ConfigContent?) {
            names.insert(name)
            if let content { given[AbsoluteConfigKey([name])] = ConfigValue(content, isSecret: false) }
        }
    }

    private static func logLevel(_ reader: SettingsReader) throws(NodeError) -> Logger.Level {
        guard let text = try reader.text("logLevel") else { return .info }
        guard let level = Logger.Level(rawValue: text) else {
            throw NodeError("log level \"\(text)\" is none of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return level
    }

    private static func node(_ reader: SettingsReader) throws(NodeError) -> NodeConfiguration {
        let zookeeper = try reader.text("zookeeper")
        guard let id = try reader.text("id") ?? (zookeeper == nil ? "n1" : nil) else {
            throw NodeError("give the node an id that is unique in the cluster: --id n1")
        }
        do throws(NodeIDError) { try NodeID.check(id) } catch { throw NodeError(error.message) }
        var node = NodeConfiguration(id: id)
        if let zookeeper { node.zookeeper = try ZooKeeperServers(zookeeper) }
        node.cluster = try reader.text("cluster") ?? node.cluster
        if !node.cluster.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") })
            || !(1...64).contains(node.cluster.utf8.count)
        {
            throw NodeError("cluster \"\(node.cluster)\" is not a name of 1 to 64 printable ASCII characters without spaces and slashes")
        }
        node.client = try address(reader, "client") ?? node.client
        node.api = try address(reader, "api") ?? node.api
        node.link = try address(reader, "link") ?? node.link
        try readAdvertised(reader, into: &node)
        node.zone = try reader.text("zone")
        node.weight = UInt16(try reader.number("weight", 0...65_535) ?? Int(node.weight))
        node.shards = try reader.number("loops", 1...256)
        node.sessionTimeoutMilliseconds = try reader.number("sessionTimeout", 200...600_000) ?? node.sessionTimeoutMilliseconds
        node.copies = try reader.number("copies", ClusterDocument.copiesRange)
        node.drainMilliseconds = Int64(try reader.number("drainSeconds", 0...86_400) ?? Int(node.drainMilliseconds / 1_000)) * 1_000
        try readLimits(reader, into: &node.limits)
        node.store = try store(reader)
        try node.checkWhatItNeeds()
        if let path = try reader.text("namespaces") { try node.readNamespaces(path) }
        for text in try reader.list("allowOrigin") { node.allowedOrigins.append(try WebOrigin.canonical(text)) }
        for name in try reader.list("host") {
            guard HostName.isValid(name) else {
                throw NodeError("host \"\(name)\" is no host name: give it without scheme, port and path, as app.example.com")
            }
            node.hostNames.append(name)
        }
        // A channel and all below it.
        let open = try reader.list("clientPublish").flatMap { $0.hasSuffix("*") ? [$0] : [$0, "\($0):*"] }
        guard let channels = NamePatterns(open) else {
            throw NodeError("clientPublish takes at most \(NamePatterns.countMax / 2) names of channels")
        }
        node.clientPublish = channels
        if try reader.flag("clientPublishUsers") { node.clientPublishUsers = .all }
        try readAuthentication(reader, into: &node)
        node.tls = try tls(reader, certificate: "tlsCertificate", key: "tlsKey", authority: nil)
        node.linkTLS = try tls(reader, certificate: "linkCertificate", key: "linkKey", authority: "linkAuthority")
        node.linkSecretFile = try reader.text("linkSecretFile")
        return node
    }

    private static func store(_ reader: SettingsReader) throws(NodeError) -> StoreConfiguration? {
        let durability = try reader.text("durability")
        guard let path = try reader.text("data") else {
            if durability == nil { return nil }
            throw NodeError("--durability says how a data directory is written, and none is given: --data DIR")
        }
        guard let durability else { return StoreConfiguration(path: path) }
        guard let wanted = StoreDurability(rawValue: durability) else {
            throw NodeError(
                "durability \"\(durability)\" is neither \(StoreDurability.allCases.map(\.rawValue).joined(separator: " nor "))")
        }
        return StoreConfiguration(path: path, durability: wanted)
    }

    /// Where others reach this node, if not where it listens: a name for all ports, with the client port's number where that is another one.
    private static func readAdvertised(_ reader: SettingsReader, into node: inout NodeConfiguration) throws(NodeError) {
        node.advertiseLink = try address(reader, "advertiseLink")
        if let text = try reader.text("advertise") {
            let address = ListenAddress(text) ?? ListenAddress(text.contains(":") && !text.hasPrefix("[") ? "[\(text)]:0" : "\(text):0")
            guard let address, !address.isWildcard, HostName.isValid(address.host) else {
                throw NodeError(
                    "advertise \"\(text)\" is no name or address that others can connect to, as push.example.com or 10.0.0.1:8080")
            }
            if address.port == 0, ListenAddress(text) != nil {
                throw NodeError("advertise \"\(text)\" has the port 0, which nobody can connect to")
            }
            node.advertise = address.host
            node.advertiseClientPort = address.port == 0 ? nil : address.port
        } else if node.zookeeper != nil {
            for address in [node.client, node.api, node.link] where address.isWildcard {
                throw NodeError("\(address) is reachable under many names: say which one others should use with --advertise")
            }
        }
        if let link = node.advertiseLink, link.isWildcard || link.port == 0 || !HostName.isValid(link.host) {
            throw NodeError("advertiseLink \"\(link)\" is nothing that others can connect to")
        }
    }

    /// All of the paths or none.
    private static func tls(
        _ reader: SettingsReader, certificate: String, key: String, authority: String?
    ) throws(NodeError) -> TLSFiles? {
        let keys = [certificate, key] + (authority.map { [$0] } ?? [])
        var paths: [String] = []
        for key in keys { if let path = try reader.text(key) { paths.append(path) } }
        if paths.isEmpty { return nil }
        guard paths.count == keys.count else {
            throw NodeError("TLS needs \(keys.map { "\($0)" }.joined(separator: " and ")), or none of them")
        }
        return TLSFiles(certificate: paths[0], key: paths[1], authority: authority == nil ? nil : paths[2])
    }

    /// Some limits have options of their own; all can be set by name.
    private static func readLimits(_ reader: SettingsReader, into limits: inout NodeLimits) throws(NodeError) {
        let options: [(String, Limit)] = [
            ("payloadMax", .payloadBytes), ("channelRate", .channelRate), ("channelSubscribersMax", .channelSubscribers),
            ("connectRate", .connectRate), ("connectBurst", .connectBurst), ("historyMessages", .historyMessages),
            ("historyBytes", .historyBytes), ("historySeconds", .historySeconds), ("dataMegabytes", .dataMegabytes),
        ]
        for (key, limit) in options {
            if let value = try reader.number(key, NodeLimits.range(of: limit)) { try limits.set(limit, to: value) }
        }
        for text in try reader.list("limit") { try limits.set(text) }
    }

    private static func address(_ reader: SettingsReader, _ key: String) throws(NodeError) -> ListenAddress? {
        guard let text = try reader.text(key) else { return nil }
        guard let address = ListenAddress(text) else {
            throw NodeError("\(key) \"\(text)\" is not host:port; an IPv6 address stands in brackets")
        }
        if address.host == "*" { throw NodeError("\(key) \"\(text)\": write 0.0.0.0 for every IPv4 address, [::] for every address") }
        guard HostName.isValid(address.host) else {
            throw NodeError("\(key) \"\(text)\": \"\(address.host)\" is no host name and no address")
        }
        return address
    }

}
