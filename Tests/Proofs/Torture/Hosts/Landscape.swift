// Where the cluster's hosts are, and how the ways between them are cut.

import RingpostClient
import TestSupport

/// A network of hosts, each known by its name.
protocol Landscape: Sendable {
    /// For the report.
    var mode: String { get }
    /// Whether ways can be cut here.
    var cutsWays: Bool { get }
    /// Where a host's processes run.
    func namespace(_ host: String) throws -> ProcessNamespace
    /// The address under which one host reaches another's port; with `nil`, under which every other host does.
    func way(from one: String?, to other: String, at endpoint: Endpoint) async throws -> Endpoint
    /// Drops everything between two hosts, both ways and silently, as a broken switch would.
    func cut(_ one: String, _ other: String) async throws
    /// Ends all cuts.
    func heal() async throws
}

extension Landscape {
    func way(from one: String?, to other: String, at endpoint: Endpoint) async throws -> Endpoint { endpoint }
}

/// All hosts are this one: nothing can be cut.
struct LoopbackLandscape: Landscape {
    let mode = "all on loopback, nothing can be cut"
    let cutsWays = false

    func namespace(_ host: String) -> ProcessNamespace { .loopback }
    func cut(_ one: String, _ other: String) throws { throw TortureError("nothing can be cut on loopback") }
    func heal() {}
}

/// What keeps a run from going on.
struct TortureError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
