// Credentials of clients, producers and operators: read with the rest, and again when their files change.
import Logging
import RingpostCore

extension NodeContext {
    /// Reads everything that says whom to trust, and from now on reads it again when it changes.
    ///
    /// - Throws: `NodeError`.
    package func loadAuth() async throws {
        if let sentence = AuthObjection.find(in: configuration) { throw NodeError(sentence) }
        try auth.load(configuration, logger: logger) { [self] in countAlarm() }
        if let tokens {
            try await tokens.load()
            auth.files.add(paths: tokens.paths) { [self] in tokens.reload { self.countAlarm() } }
        }
        if let path = configuration.zookeeperAuthFile, let sentence = FileExposure(path: path).warning(about: path, "ZooKeeper's password")
        {
            logger.warning("\(sentence)")
        }
        guard let apiKeys else { return }
        auth.files.add(paths: [apiKeys.path]) { [self] in
            do throws(NodeError) { try apiKeys.load() } catch {
                countAlarm()
                logger.error("the earlier API keys stay in use: \(error)")
            }
        }
        try apiKeys.load()
        if let sentence = FileExposure(path: apiKeys.path).warning(about: apiKeys.path, "the hashes of the API keys") {
            logger.warning("\(sentence)")
        }
        auth.setLinkAdmission(LinkAdmission { credential in Self.pass(Array(credential.utf8), apiKeys) })
    }

    private static func pass(_ credential: [UInt8], _ keys: APIKeys) -> LinkPass? {
        guard let grant = keys.grant(credential, nowSeconds: Moment.now().wall / 1_000) else { return nil }
        return LinkPass { kind, name in
            if !grant.allowsPublish(kind, name) { return ProblemReport(.forbidden) }
            return keys.objection(to: grant, now: .now())
        }
    }
}
