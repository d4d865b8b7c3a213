// Credentials of clients, producers and operators: read with the rest, and again when their files change.
import Logging
import RingpostCore

extension NodeContext {
    /// Reads everything that says whom to trust, and from now on reads it again when it changes.
    ///
    /// - Throws: `NodeError`.
    package func loadAuth() async throws {
        if let sentence = AuthObjection.find(in: configuration) { throw NodeError(sentence) }
        try audit?.open()
        try auth.load(configuration, logger: logger) { [self] in countAlarm() }
        if let tokens {
            if forgetsRevocations { logger.warning("\(Self.forgetsRevocationsNote)") }
            try await tokens.load()
            auth.files.add(paths: tokens.paths) { [self] in tokens.reload { self.countAlarm() } }
        }
        if let path = configuration.zookeeperAuthFile, let sentence = FileExposure(path: path).warning(about: path, "ZooKeeper's password")
        {
            logger.warning("\(sentence)")
        }
        let producers = LinkProducers(configuration)
        if case .nobody(let sentence) = producers {
            logger.notice("no producers", metadata: ["why": "\(sentence)"])
            auth.setLinkAdmission(.nobody(sentence))
        }
        guard let apiKeys else { return }
        auth.files.add(paths: [apiKeys.path]) { [self] in
            do throws(NodeError) {
                let old = apiKeys.marks
                try apiKeys.load()
                if let audit, let entry = AuditEntry(keys: "api-keys", from: old, to: apiKeys.marks) { audit.record(entry) }
            } catch {
                countAlarm()
                logger.error("the earlier API keys stay in use: \(error)")
            }
        }
        try apiKeys.load()
        if let sentence = FileExposure(path: apiKeys.path).warning(about: apiKeys.path, "the hashes of the API keys") {
            logger.warning("\(sentence)")
        }
        if producers == .withKey { auth.setLinkAdmission(LinkAdmission { credential in Self.pass(Array(credential.utf8), apiKeys) }) }
    }

    /// While a ZooKeeper without credentials is all that stands between strangers and the ring, the log says so again and again.
    func remindOfOpenZooKeeper() async {
        guard configuration.isZooKeeperOpen else { return }
        repeat {
            countAlarm()
            logger.error(
                "ZooKeeper asks nobody for a password (--zookeeper-open): whoever reaches it has the cluster; give all nodes --zookeeper-auth-file"
            )
        } while (try? await Task.sleep(for: .seconds(Self.reminderSeconds))) != nil
    }

    private static let reminderSeconds = 3_600

    private static func pass(_ credential: [UInt8], _ keys: APIKeys) -> LinkPass? {
        // Before the key is looked up: what changes meanwhile is looked up again.
        let generation = keys.generation
        guard let entry = keys.entry(credential, nowSeconds: Moment.now().wall / 1_000) else { return nil }
        let key = CurrentAPIKey(entry, generation: generation, keys)
        return LinkPass { key.grant }
    }

    /// Other keys for tokens than before.
    func audit(from old: TokenKeySet, to new: TokenKeySet) {
        guard let audit, !old.keys.isEmpty, let entry = AuditEntry(keys: "token-keys", from: old.marks, to: new.marks) else { return }
        audit.record(entry)
    }

    /// Revocations are forgotten when this node ends.
    var forgetsRevocations: Bool { tokens != nil && configuration.zookeeper == nil && configuration.revocationsFile == nil }

    static let forgetsRevocationsNote =
        "this node keeps revocations in memory only, and forgets them when it restarts: give it --data DIR, or --revocations-file FILE"
}

/// The API key of one link, as it stands in the file at this moment. Used on the link's event loop only.
private final class CurrentAPIKey: @unchecked Sendable {
    private let keys: APIKeys
    private let first: APIKeys.Entry
    private var generation: UInt64
    private var current: APIKeys.Entry?

    init(_ entry: APIKeys.Entry, generation: UInt64, _ keys: APIKeys) {
        (self.keys, first, self.generation, current) = (keys, entry, generation, entry)
    }

    /// What it allows; `nil` when it is not in the file any more, or has another secret. Most of the time a look at one number.
    var grant: APIGrant? {
        let generation = keys.generation
        if generation != self.generation {
            current = keys.successor(of: first)
            self.generation = generation
        }
        return current?.grant
    }
}
