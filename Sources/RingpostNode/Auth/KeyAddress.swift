// Where keys for tokens are published, and how they are fetched from there: a key set at an address, or the key set that an issuer names in
// its OpenID configuration (OpenID Connect Discovery 1.0, 4). One time bounds all of it, no redirect is followed.
import AsyncHTTPClient
import Foundation
import Logging
import NIOCore
import NIOPosix
import RingpostCore
import RingpostWire

/// One place that keys come from.
struct KeyAddress: Sendable, Equatable {
    /// From the first look-up of a name to the last byte of the last document.
    static let fetchMillisecondsMax: Int64 = 5_000
    /// Addresses of one node; more are refused.
    static let countMax = 16
    /// What an issuer's address and this make its configuration's.
    static let configurationPath = "/.well-known/openid-configuration"

    /// A key set's, or a configuration's.
    let url: String
    /// Whose configuration stands there; `nil` for a key set, which is for anybody's tokens.
    let issuer: String?

    /// A key set's, or, by how it ends, that of an issuer's configuration.
    init(url: String) {
        self.url = url
        issuer = url.hasSuffix(Self.configurationPath) ? String(url.dropLast(Self.configurationPath.count)) : nil
    }

    /// The configuration of an issuer, named as its tokens do.
    init(issuer: String) {
        self.issuer = issuer
        url = (issuer.hasSuffix("/") ? String(issuer.dropLast()) : issuer) + Self.configurationPath
    }

    /// All of a node's.
    static func all(_ configuration: AuthConfiguration) -> [KeyAddress] {
        let discovered = configuration.discoversKeys ? configuration.issuers.map(KeyAddress.init(issuer:)) : []
        let given = configuration.tokenKeysURL.map { url in
            let address = KeyAddress(url: url)
            // Written with the slash at its end that its tokens have.
            if let issuer = address.issuer, configuration.issuers.contains(issuer + "/") { return KeyAddress(issuer: issuer + "/") }
            return address
        }
        return discovered + (given.map { discovered.contains($0) ? [] : [$0] } ?? [])
    }

    /// Who can put himself between would choose the keys.
    ///
    /// - Throws: `NodeError` when the address can't be used.
    static func check(_ url: String, option: String) throws(NodeError) {
        guard let parsed = URL(string: url), let host = parsed.host, !host.isEmpty else {
            throw NodeError("\"\(LogText.escaped(url))\" is no address of a key set (\(option)): give https://host/path")
        }
        if parsed.scheme != "https", !(parsed.scheme == "http" && LoopbackPolicy.isLoopback(host)) {
            throw NodeError("keys for tokens are fetched over https only, except from this machine: \(LogText.escaped(url)) (\(option))")
        }
    }

    // MARK: Fetching

    /// What was fetched.
    struct Keys: Sendable {
        let keys: [TokenKey]
        /// How long its server says that it can be kept.
        let maxAgeSeconds: Int64?
    }

    /// Fetches the keys, or gives up in time.
    func fetch(logger: Logger) async throws -> Keys {
        try await withThrowingTaskGroup(of: Keys?.self) { group in
            group.addTask { try await fetchAll(logger: logger) }
            group.addTask {
                try await Task.sleep(for: .milliseconds(Self.fetchMillisecondsMax))
                return nil
            }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let keys = first else {
                throw NodeError("\(url) has not answered whole within \(Self.fetchMillisecondsMax) ms")
            }
            return keys
        }
    }

    private func fetchAll(logger: Logger) async throws -> Keys {
        guard let issuer else { return try await Self.keySet(url, issuer: nil, logger: logger) }
        let (document, _) = try await Self.document(url)
        guard let configuration = try? JSONObject(Array(document)), let named = configuration["issuer"].flatMap(JSONText.string),
            let set = configuration["jwks_uri"].flatMap(JSONText.string)
        else { throw NodeError("\(url) is no OpenID configuration: it lacks \"issuer\" or \"jwks_uri\"") }
        // Otherwise one issuer could hand out keys for another's tokens (Discovery, 4.3).
        guard named == issuer else {
            throw NodeError("\(url) is the configuration of the issuer \(LogText.escaped(named)), not of \(issuer)")
        }
        try Self.check(set, option: "jwks_uri of \(url)")
        // What has come over TLS must not send this node to an address without it.
        if url.hasPrefix("https:"), !set.hasPrefix("https:") { throw NodeError("jwks_uri of \(url) is no https address") }
        return try await Self.keySet(set, issuer: issuer, logger: logger)
    }

    private static func keySet(_ url: String, issuer: String?, logger: Logger) async throws -> Keys {
        let (document, maxAge) = try await document(url)
        let keys = try await TokenKeyFile.load(
            set: document, defaultID: nil, allowsSecrets: false, issuer: issuer, source: LogText.escaped(url), logger: logger)
        if keys.isEmpty { throw NodeError("\(LogText.escaped(url)) holds no key that can be used") }
        return Keys(keys: keys, maxAgeSeconds: maxAge)
    }

    private static func document(_ url: String) async throws -> (Data, maxAgeSeconds: Int64?) {
        let response = try await http.execute(HTTPClientRequest(url: url), timeout: .milliseconds(fetchMillisecondsMax))
        guard response.status == .ok else {
            let hint = (300..<400).contains(response.status.code) ? ", and redirects are not followed: give the address itself" : ""
            throw NodeError("\(LogText.escaped(url)) answers HTTP \(response.status.code)\(hint)")
        }
        let body = try await response.body.collect(upTo: TokenKeyFile.bytesMax)
        let directives = response.headers[canonicalForm: "cache-control"].map { $0.lowercased() }
        let maxAge = directives.first { $0.hasPrefix("max-age=") }.flatMap { Int64($0.dropFirst("max-age=".count)) }
        return (Data(body.readableBytesView), maxAge)
    }

    /// Ends with the process.
    private static let http: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.redirectConfiguration = .disallow
        configuration.timeout = .init(connect: .milliseconds(fetchMillisecondsMax), read: .milliseconds(fetchMillisecondsMax))
        configuration.connectionPool.retryConnectionEstablishment = false
        return HTTPClient(eventLoopGroup: MultiThreadedEventLoopGroup.singleton, configuration: configuration)
    }()
}
