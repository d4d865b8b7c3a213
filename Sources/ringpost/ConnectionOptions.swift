// The two addresses that commands need, and where they come from: the option, the environment, the default.
// RINGPOST_API itself belongs to `ringpost node`, which reads all its settings under that prefix as host:port to listen on.
import ArgumentParser
import RingpostClient

import Glibc

/// Where nodes answer producers and operators.
struct APIOptions: ParsableArguments {
    @Option(
        name: .customLong("api"),
        help: ArgumentHelp(
            "Where a node's API answers; repeat it to name more nodes, tried in this order. Also RINGPOST_API_URL, comma separated.",
            valueName: "http://host:port"))
    var api: [String] = []

    func endpoints() throws -> [Endpoint] {
        try Environment.endpoints(api, variable: "RINGPOST_API_URL", otherwise: "http://127.0.0.1:8081")
    }

    func client() throws -> OperatorClient { OperatorClient(api: try endpoints()) }

    func validate() throws { _ = try endpoints() }
}

/// Where nodes answer clients.
struct URLOptions: ParsableArguments {
    @Option(
        name: .customLong("url"),
        help: ArgumentHelp(
            "Where a node answers clients; repeat it to name more nodes. Also RINGPOST_CLIENT_URL, comma separated.",
            valueName: "http://host:port"))
    var url: [String] = []

    func endpoints() throws -> [Endpoint] {
        try Environment.endpoints(url, variable: "RINGPOST_CLIENT_URL", otherwise: "http://127.0.0.1:8080")
    }

    func validate() throws { _ = try endpoints() }
}

enum Environment {
    static func value(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

    static func endpoints(_ given: [String], variable: String, otherwise: String) throws -> [Endpoint] {
        let named = given.isEmpty ? value(variable).map { $0.split(separator: ",").map(String.init) } ?? [] : given
        do throws(EndpointError) {
            return try (named.isEmpty ? [otherwise] : named).map { text throws(EndpointError) in try Endpoint(text) }
        } catch {
            throw ValidationError(error.description)
        }
    }
}
