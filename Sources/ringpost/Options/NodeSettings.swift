// A node's settings from three places: options over environment over file. The reading is swift-configuration's; what
// stands here is which settings there are, and a sentence for each that makes no sense.
import Configuration
import Logging
import RingpostCore
import RingpostNode
import SystemPackage

struct NodeSettings {
    private(set) var node: NodeConfiguration
    let logLevel: Logger.Level

    init(options: NodeCommand) async throws {
        var providers: [any ConfigProvider] = [
            InMemoryProvider(values: Self.values(of: options)), EnvironmentVariablesProvider().prefixKeys(with: "ringpost"),
        ]
        let environment = ConfigReader(providers: providers)
        if let path = environment.string(forKey: "config") {
            do {
                providers.append(try await FileProvider<JSONSnapshot>(filePath: FilePath(path)))
            } catch {
                throw NodeError("can't read the configuration file \(path): \(error)")
            }
        }
        let reader = ConfigReader(providers: providers)
        logLevel = try Self.logLevel(reader)
        node = try Self.node(reader)
    }

    private static func values(of options: NodeCommand) -> [AbsoluteConfigKey: ConfigValue] {
        var values: [AbsoluteConfigKey: ConfigValue] = [:]
        let texts = [
            "id": options.id, "zookeeper": options.zookeeper, "cluster": options.cluster, "client": options.client, "api": options.api,
            "link": options.link, "advertise": options.advertise, "advertiseLink": options.advertiseLink, "zone": options.zone,
            "logLevel": options.logLevel, "config": options.config,
        ]
        for case (let key, .some(let text)) in texts.merging(options.trust.texts, uniquingKeysWith: { $1 }) {
            values[AbsoluteConfigKey([key])] = ConfigValue(.string(text), isSecret: false)
        }
        let numbers = [
            "weight": options.weight, "loops": options.loops, "sessionTimeout": options.sessionTimeout, "payloadMax": options.payloadMax,
            "drainSeconds": options.drainSeconds, "channelRate": options.channelRate,
            "channelSubscribersMax": options.channelSubscribersMax,
            "connectRate": options.connectRate, "connectBurst": options.connectBurst,
        ]
        for case (let key, .some(let number)) in numbers.merging(options.trust.numbers, uniquingKeysWith: { $1 }) {
            values[AbsoluteConfigKey([key])] = ConfigValue(.int(number), isSecret: false)
        }
        let lists = [
            "allowOrigin": options.allowOrigin, "host": options.host, "clientPublish": options.clientPublish, "limit": options.limit,
        ]
        for (key, list) in lists.merging(options.trust.lists, uniquingKeysWith: { $1 }) where !list.isEmpty {
            values[AbsoluteConfigKey([key])] = ConfigValue(.stringArray(list), isSecret: false)
        }
        if options.clientPublishUsers { values["clientPublishUsers"] = ConfigValue(.bool(true), isSecret: false) }
        return values
    }

    private static func logLevel(_ reader: ConfigReader) throws -> Logger.Level {
        guard let text = reader.string(forKey: "logLevel") else { return .info }
        guard let level = Logger.Level(rawValue: text) else {
            throw NodeError("log level \"\(text)\" is none of \(Logger.Level.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return level
    }

    private static func node(_ reader: ConfigReader) throws -> NodeConfiguration {
        let zookeeper = reader.string(forKey: "zookeeper")
        guard let id = reader.string(forKey: "id") ?? (zookeeper == nil ? "n1" : nil) else {
            throw NodeError("give the node an id that is unique in the cluster: --id n1")
        }
        do {
            try NodeID.check(id)
        } catch {
            throw NodeError(error.message)
        }
        var node = NodeConfiguration(id: id)
        node.zookeeper = zookeeper
        node.cluster = reader.string(forKey: "cluster") ?? node.cluster
        if !node.cluster.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") })
            || !(1...64).contains(node.cluster.utf8.count)
        {
            throw NodeError("cluster \"\(node.cluster)\" is not a name of 1 to 64 printable ASCII characters without spaces and slashes")
        }
        node.client = try address(reader, "client") ?? node.client
        node.api = try address(reader, "api") ?? node.api
        node.link = try address(reader, "link") ?? node.link
        node.advertise = reader.string(forKey: "advertise")
        node.advertiseLink = try address(reader, "advertiseLink")
        node.zone = reader.string(forKey: "zone")
        node.weight = UInt16(try number(reader, "weight", 0...65_535) ?? Int(node.weight))
        node.shards = try number(reader, "loops", 1...256)
        node.sessionTimeoutMilliseconds = try number(reader, "sessionTimeout", 200...600_000) ?? node.sessionTimeoutMilliseconds
        node.drainMilliseconds = Int64(try number(reader, "drainSeconds", 0...86_400) ?? Int(node.drainMilliseconds / 1_000)) * 1_000
        try readLimits(reader, into: &node.limits)
        node.allowedOrigins = reader.stringArray(forKey: "allowOrigin") ?? []
        node.hostNames = try hostNames(reader)
        // A channel and all below it.
        let open = (reader.stringArray(forKey: "clientPublish") ?? []).flatMap { $0.hasSuffix("*") ? [$0] : [$0, "\($0):*"] }
        guard let channels = NamePatterns(open) else {
            throw NodeError("clientPublish takes at most \(NamePatterns.countMax / 2) names of channels")
        }
        node.clientPublish = channels
        if reader.bool(forKey: "clientPublishUsers") == true { node.clientPublishUsers = .all }
        try readTrust(reader, into: &node)
        node.tls = try tls(reader, certificate: "tlsCertificate", key: "tlsKey", authority: nil)
        node.linkTLS = try tls(reader, certificate: "linkCertificate", key: "linkKey", authority: "linkAuthority")
        node.linkSecretFile = reader.string(forKey: "linkSecretFile")
        if node.advertise == nil, node.zookeeper != nil {
            for address in [node.client, node.api, node.link] where ["0.0.0.0", "::"].contains(address.host) {
                throw NodeError("\(address) is reachable under many names: say which one others should use with --advertise")
            }
        }
        return node
    }

    /// All of the paths or none.
    private static func tls(
        _ reader: ConfigReader, certificate: ConfigKey, key: ConfigKey, authority: ConfigKey?
    ) throws -> TLSFiles? {
        let keys = [certificate, key] + (authority.map { [$0] } ?? [])
        let paths = keys.compactMap { reader.string(forKey: $0) }
        if paths.isEmpty { return nil }
        guard paths.count == keys.count else {
            throw NodeError("TLS needs \(keys.map { "\($0)" }.joined(separator: " and ")), or none of them")
        }
        return TLSFiles(certificate: paths[0], key: paths[1], authority: authority == nil ? nil : paths[2])
    }

    /// Some limits have options of their own; all can be set by name.
    private static func readLimits(_ reader: ConfigReader, into limits: inout NodeLimits) throws {
        let options: [(ConfigKey, Limit)] = [
            ("payloadMax", .payloadBytes), ("channelRate", .channelRate), ("channelSubscribersMax", .channelSubscribers),
            ("connectRate", .connectRate), ("connectBurst", .connectBurst),
        ]
        for (key, limit) in options {
            if let value = try number(reader, key, NodeLimits.range(of: limit)) { try limits.set(limit, to: value) }
        }
        for text in reader.stringArray(forKey: "limit") ?? [] { try limits.set(text) }
    }

    /// Names that requests may be for: the port makes no difference.
    private static func hostNames(_ reader: ConfigReader) throws -> [String] {
        let names = reader.stringArray(forKey: "host") ?? []
        for name in names where name.isEmpty || !name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !":/*[]".utf8.contains($0) }) {
            throw NodeError("host \"\(name)\" is no host name: give it without scheme, port and path, as app.example.com")
        }
        return names
    }

    private static func address(_ reader: ConfigReader, _ key: ConfigKey) throws -> ListenAddress? {
        guard let text = reader.string(forKey: key) else { return nil }
        guard let address = ListenAddress(text) else { throw NodeError("\(key) \"\(text)\" is not host:port") }
        return address
    }

    static func number(_ reader: ConfigReader, _ key: ConfigKey, _ range: ClosedRange<Int>) throws -> Int? {
        if let number = reader.int(forKey: key) {
            guard range.contains(number) else { throw NodeError("\(key) \(number) is not in \(range.lowerBound) to \(range.upperBound)") }
            return number
        }
        // There, but no whole number.
        let text = reader.string(forKey: key) ?? reader.double(forKey: key).map { "\($0)" }
        if let text { throw NodeError("\(key) \"\(text)\" is not a whole number from \(range.lowerBound) to \(range.upperBound)") }
        return nil
    }
}
