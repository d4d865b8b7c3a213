// Settings that contradict each other, or that would let strangers in.
import RingpostCore

/// What is wrong with a node's settings as far as trust goes. Pure, so that every refusal has its test.
enum AuthObjection {
    static func find(in configuration: NodeConfiguration) -> String? {
        let auth = configuration.auth
        if auth.asksForTokens, configuration.opensPublishing {
            return "with tokens it is the token that says what a client may publish: leave out --client-publish and "
                + "--client-publish-users, and have the issuer put \"publish\" and \"publishUsers\" into the tokens"
        }
        if auth.discoversKeys, auth.issuers.isEmpty {
            return "--token-discovery needs to know whose keys to discover: --token-issuer https://login.example.com"
        }
        if auth.revocationsFile != nil, configuration.zookeeper != nil {
            return "with ZooKeeper, revocations stand there, where all nodes read them: leave out --revocations-file"
        }
        if !auth.asksForTokens, !auth.issuers.isEmpty || !auth.audiences.isEmpty {
            return "--token-issuer and --token-audience need keys to check tokens with: --token-keys FILE or --token-jwks URL"
        }
        return portObjection(configuration) ?? zookeeperObjection(configuration)
    }

    /// A port that others reach is protected for each role that it serves. What producers are asked on the link port is
    /// ``LinkProducers``: they alone are refused there, not the node.
    private static func portObjection(_ configuration: NodeConfiguration) -> String? {
        let auth = configuration.auth
        return LoopbackPolicy.objection(
            to: configuration.client, port: "client", isProtected: auth.asksForTokens,
            remedy: "give the node keys that clients' tokens are checked with (--token-keys FILE, --token-jwks URL)")
            ?? LoopbackPolicy.objection(
                to: configuration.api, port: "API", isProtected: auth.asksForKeys,
                remedy: "make API keys (ringpost key new --file FILE) and give the node their file (--api-keys FILE)")
            ?? LoopbackPolicy.objection(
                to: configuration.link, port: "link", isProtected: configuration.linkTLS != nil || configuration.linkSecretFile != nil,
                remedy: "give all nodes one secret (--link-secret-file), or certificates (--link-certificate, --link-key, --link-authority)"
            )
    }

    /// Who reaches a ZooKeeper that asks for nothing reads the ring's seed, takes revocations back, and has the cluster.
    private static func zookeeperObjection(_ configuration: NodeConfiguration) -> String? {
        guard configuration.zookeeper != nil else {
            return configuration.allowsOpenZooKeeper
                ? "--zookeeper-open is about a ZooKeeper, and none is given: --zookeeper host:port" : nil
        }
        if configuration.zookeeperCredentials != nil {
            return configuration.allowsOpenZooKeeper
                ? "--zookeeper-open and --zookeeper-auth-file exclude each other: leave out the first" : nil
        }
        if !configuration.isOpenToOthers || configuration.allowsOpenZooKeeper { return nil }
        return
            "others than this machine reach this node, and its ZooKeeper asks nobody for a password: whoever reaches that one as well reads "
            + "the ring's secret seed and takes revocations back. Give all nodes credentials (--zookeeper-auth-file FILE), or say that others "
            + "are kept away from it by other means (--zookeeper-open)"
    }
}
