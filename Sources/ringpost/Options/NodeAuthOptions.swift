// The options of `ringpost node` that say who may connect, and whom the node believes, and what they become.
import ArgumentParser
import RingpostCore
import RingpostNode
import RingpostWire

struct NodeAuthOptions: ParsableArguments {
    @Option(help: "tokens: clients must bring a token; none: nobody is asked, on loopback only. (default: tokens if keys are given)")
    var auth: String?
    @Option(help: "A file with a key that clients' tokens are checked with, or a directory of them, each named after its key id.")
    var tokenKeys: String?
    @Option(help: "Where such keys are published: the https address of a JSON Web Key Set, or of an issuer's openid-configuration.")
    var tokenJwks: String?
    @Flag(help: "The keys of each --token-issuer are those that it names at <issuer>/.well-known/openid-configuration.")
    var tokenDiscovery = false
    @Option(help: "Whose tokens are taken (iss). Repeatable. (default: anybody's whose key is known)")
    var tokenIssuer: [String] = []
    @Option(help: "For whom tokens must be (aud). Repeatable. (default: anybody)")
    var tokenAudience: [String] = []
    @Option(help: "Where tokens say what they grant: \(ClaimsMap.form). Repeatable. (default: ringpost)")
    var tokenClaims: [String] = []
    @Option(help: "Seconds by which the issuer's clock may be off, 0 to 120. (default: 0)")
    var tokenLeeway: Int?
    @Option(help: "The longest time in seconds for which a token may still be valid. (default: 86400)")
    var tokenLifetimeMax: Int?
    @Option(help: "Seconds before a token's end at which its client is told. (default: 30)")
    var tokenWarning: Int?
    @Option(help: "A file that keeps revocations over a restart, for a node without ZooKeeper.")
    var revocationsFile: String?
    @Option(help: "A file to which each order, change of keys and, sampled, refusal is appended as a line of JSON.")
    var auditLog: String?
    @Option(help: "The file with the hashes of producers' and operators' keys; `ringpost key new` makes them.")
    var apiKeys: String?
    @Option(help: "Certificate chain in PEM for the client and API ports.")
    var tlsCertificate: String?
    @Option(help: "Its private key.")
    var tlsKey: String?
    @Option(help: "This node's certificate for links; it names the node's id.")
    var linkCertificate: String?
    @Option(help: "Its private key.")
    var linkKey: String?
    @Option(help: "The authority that has signed all nodes' certificates for links.")
    var linkAuthority: String?
    @Option(help: "A file with a secret that all nodes know and prove to each other on links, without saying it.")
    var linkSecretFile: String?
    @Option(help: "A file with user:password for ZooKeeper; what the cluster keeps there is closed to all others.")
    var zookeeperAuthFile: String?
    @Option(help: "on: producers may come to the link port, with an API key if others reach it; off: none. (default: on)")
    var linkProducers: String?
    @Flag(help: "Start although others reach this node and ZooKeeper asks for no password: strangers are kept away from it otherwise.")
    var zookeeperOpen = false
    @Option(
        help:
            "Who is believed about whom a connection is for (PROXY protocol, Forwarded, X-Forwarded-For): a proxy's address, or a network as 10.0.0.0/8. Repeatable. (default: nobody)"
    )
    var trustedProxy: [String] = []

    /// By the names under which the environment and the configuration file have them too.
    var texts: [String: String?] {
        [
            "auth": auth, "tokenKeys": tokenKeys, "tokenJwks": tokenJwks, "apiKeys": apiKeys, "tlsCertificate": tlsCertificate,
            "tlsKey": tlsKey, "linkCertificate": linkCertificate, "linkKey": linkKey, "linkAuthority": linkAuthority,
            "linkSecretFile": linkSecretFile, "linkProducers": linkProducers, "zookeeperAuthFile": zookeeperAuthFile,
            "revocationsFile": revocationsFile, "auditLog": auditLog,
        ]
    }
    var flags: [String: Bool] { ["zookeeperOpen": zookeeperOpen, "tokenDiscovery": tokenDiscovery] }
    var numbers: [String: Int?] { ["tokenLeeway": tokenLeeway, "tokenLifetimeMax": tokenLifetimeMax, "tokenWarning": tokenWarning] }
    var lists: [String: [String]] {
        [
            "tokenIssuer": tokenIssuer, "tokenAudience": tokenAudience, "tokenClaims": tokenClaims, "trustedProxy": trustedProxy,
        ]
    }
}

extension NodeSettings {
    /// Reads the settings of authentication.
    static func readAuthentication(_ reader: SettingsReader, into node: inout NodeConfiguration) throws(NodeError) {
        node.auth.tokenKeysPath = try reader.text("tokenKeys")
        node.auth.tokenKeysURL = try reader.text("tokenJwks")
        node.auth.discoversKeys = try reader.flag("tokenDiscovery")
        node.auth.auditLogFile = try reader.text("auditLog")
        node.auth.revocationsFile = try reader.text("revocationsFile")
        node.auth.issuers = try reader.list("tokenIssuer")
        node.auth.audiences = try reader.list("tokenAudience")
        let claims = try reader.list("tokenClaims")
        do throws(ClaimsMapFault) { node.auth.claimsMap = try ClaimsMap(claims) } catch { throw NodeError("tokenClaims: \(error.message)") }
        node.auth.apiKeysFile = try reader.text("apiKeys")
        let leewayMax = Int(AuthConfiguration.leewaySecondsMax)
        if let seconds = try reader.number("tokenLeeway", 0...leewayMax) { node.auth.leewaySeconds = Int64(seconds) }
        if let seconds = try reader.number("tokenLifetimeMax", 1...31_536_000) { node.auth.tokenSecondsMax = Int64(seconds) }
        if let seconds = try reader.number("tokenWarning", 1...86_400) { node.auth.warningSeconds = Int64(seconds) }
        try readAuth(reader, &node)
        node.auth.trustedProxies = try proxies(try reader.list("trustedProxy")) ?? node.auth.trustedProxies
        if let path = try reader.text("zookeeperAuthFile") { try node.readZooKeeperCredentials(path) }
        node.allowsOpenZooKeeper = try reader.flag("zookeeperOpen")
        switch try reader.text("linkProducers") {
        case nil, "on": break
        case "off": node.takesLinkProducers = false
        case let text?: throw NodeError("link producers \"\(text)\" is neither on nor off")
        }
    }

    private static func readAuth(_ reader: SettingsReader, _ node: inout NodeConfiguration) throws(NodeError) {
        switch try reader.text("auth") {
        case nil: break
        case "none":
            if node.auth.asksForTokens {
                throw NodeError("--auth none and keys for tokens exclude each other: leave one of them out")
            }
        case "tokens":
            if !node.auth.asksForTokens {
                throw NodeError("--auth tokens needs keys to check them with: --token-keys FILE or --token-jwks URL")
            }
        case let text?: throw NodeError("auth \"\(text)\" is neither none nor tokens")
        }
    }

    private static func proxies(_ texts: [String]) throws(NodeError) -> TrustedProxies? {
        if texts.isEmpty { return nil }
        if texts == ["none"] { return TrustedProxies([]) }
        return TrustedProxies(
            try texts.map { text throws(NodeError) in
                guard let range = AddressRange(text) else {
                    throw NodeError("trusted proxy \"\(text)\" is no address or network, as 10.0.0.1 or 10.0.0.0/8, nor none")
                }
                return range
            })
    }
}
