// Where a producer's links go: to addresses it was given, or to the link addresses of the members that some node's API names.

/// Where a link goes, and who has to answer there.
struct LinkTarget: Equatable, Sendable {
    let endpoint: Endpoint
    /// What the certificate has to be for, with TLS, unless it is for the address: nodes show each other their ids, and no host names.
    let name: String

    /// An address that was given.
    init(_ endpoint: Endpoint) {
        self.endpoint = endpoint
        name = endpoint.host
    }

    /// A member; `nil` if it names no address.
    init?(_ node: NodeReport, isTLS: Bool) {
        guard let address = try? Endpoint(node.link) else { return nil }
        endpoint = Endpoint(host: address.host, port: address.port, isTLS: isTLS)
        name = node.id
    }
}

/// Finds the nodes' link addresses.
enum LinkDirectory: Sendable {
    case fixed([LinkTarget])
    /// - Parameter isTLS: whether links speak TLS; `nil`: if the node that names them does.
    case api(OperatorClient, isTLS: Bool?)

    /// All addresses in the order in which to try them. Those of an API are shuffled, so that producers spread over the nodes.
    func addresses() async -> Result<[LinkTarget], OperatorError> {
        switch self {
        case .fixed(let targets): return .success(targets)
        case .api(let client, let isTLS):
            do throws(OperatorError) {
                let (nodes, namer) = try await client.nodesAndWhoNamesThem()
                let targets = nodes.nodes.compactMap { LinkTarget($0, isTLS: isTLS ?? namer.isTLS) }
                return targets.isEmpty ? .failure(.unreadable("no node has a link address")) : .success(targets.shuffled())
            } catch {
                return .failure(error)
            }
        }
    }
}
