// What commands need to reach nodes, and where it comes from: the option, the environment, the default. A key or a token is never an
// option's value, because every user of the machine sees those in `ps`; it is read from a file or from the environment.
// RINGPOST_API itself belongs to `ringpost node`, which reads all its settings under that prefix as host:port to listen on.
import ArgumentParser
import RingpostClient

import Glibc

/// Whom to believe to be a node.
struct TrustOptions: ParsableArguments {
    @Option(
        name: .customLong("ca"),
        help: ArgumentHelp(
            "An authority, in PEM, whose certificates are believed besides those of the system's authorities. Also RINGPOST_CA.",
            valueName: "file"))
    var authority: String?

    func roots() throws -> TrustRoots {
        guard let file = authority ?? Environment.text("RINGPOST_CA") else { return .system }
        do throws(TrustRootsError) { return try TrustRoots(systemAnd: file) } catch { throw Console.fail(error) }
    }
}

/// Where nodes answer producers and operators, and what to show there.
struct APIOptions: ParsableArguments {
    @Option(
        name: .customLong("api"),
        help: ArgumentHelp(
            "Where a node's API answers; repeat it to name more nodes, tried in this order. Also RINGPOST_API_URL, comma separated.",
            valueName: "http[s]://host:port"))
    var api: [String] = []

    @Option(
        help: ArgumentHelp(
            "A file with the API key to show; or put the key into RINGPOST_API_KEY. Also RINGPOST_API_KEY_FILE.", valueName: "file"))
    var apiKeyFile: String?

    @OptionGroup var trust: TrustOptions

    func endpoints() throws -> [Endpoint] {
        try Environment.endpoints(api, variable: "RINGPOST_API_URL", otherwise: "http://127.0.0.1:8081")
    }

    /// `nil` where none is given: a node on loopback may ask for none.
    func key() throws -> String? {
        guard let key = try SecretFile.secret(option: apiKeyFile, variable: "RINGPOST_API_KEY", what: "API key") else { return nil }
        guard key.hasPrefix("rp_") else {
            throw Console.fail(SecretError("what is given as an API key is none: it begins with rp_, as `ringpost key new` prints it"))
        }
        return key
    }

    func client() throws -> OperatorClient {
        OperatorClient(api: try endpoints(), apiKey: try key(), trust: try trust.roots())
    }

    func validate() throws { _ = try endpoints() }
}

/// How the links of a producer speak.
struct LinkOptions: ParsableArguments {
    @Flag(inversion: .prefixedNo, help: "Whether nodes' link ports speak TLS; without it, they do if their API does.")
    var linkTls: Bool?

    /// A producer's options, with what is shown to the API as well.
    func options(_ api: APIOptions) throws -> Producer.Options {
        var options = Producer.Options()
        options.apiKey = try api.key()
        options.trust = try api.trust.roots()
        options.linkTLS = linkTls
        return options
    }
}

/// Where nodes answer clients, and what to show there.
struct URLOptions: ParsableArguments {
    @Option(
        name: .customLong("url"),
        help: ArgumentHelp(
            "Where a node answers clients; repeat it to name more nodes. Also RINGPOST_CLIENT_URL, comma separated.",
            valueName: "http[s]://host:port"))
    var url: [String] = []

    @Option(
        help: ArgumentHelp(
            "A file with the token (JWT) that says who you are, read again whenever a new one is needed; or put it into RINGPOST_TOKEN. Also RINGPOST_TOKEN_FILE.",
            valueName: "file"))
    var tokenFile: String?

    func endpoints() throws -> [Endpoint] {
        try Environment.endpoints(url, variable: "RINGPOST_CLIENT_URL", otherwise: "http://127.0.0.1:8080")
    }

    /// `nil` where none is given: a node on loopback may ask for none.
    func tokens() throws -> TokenSource? {
        // Once now, so that a wrong name is an error, and not a connection that is never made.
        guard let token = try SecretFile.secret(option: tokenFile, variable: "RINGPOST_TOKEN", what: "token") else { return nil }
        guard let file = try SecretFile.name(option: tokenFile, variable: "RINGPOST_TOKEN") else { return .fixed(token) }
        return TokenSource { try SecretFile(file, what: "token").read() }
    }

    func validate() throws { _ = try endpoints() }
}

enum Environment {
    static func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    /// `nil` where it is empty, too: that is how scripts take a variable back.
    static func text(_ name: String) -> String? { value(name).flatMap { $0.isEmpty ? nil : $0 } }

    static func endpoints(_ given: [String], variable: String, otherwise: String) throws -> [Endpoint] {
        let named = given.isEmpty ? value(variable).map { $0.split(separator: ",").map(String.init) } ?? [] : given
        do throws(EndpointError) {
            return try (named.isEmpty ? [otherwise] : named).map { text throws(EndpointError) in try Endpoint(text) }
        } catch {
            throw ValidationError(error.description)
        }
    }
}
