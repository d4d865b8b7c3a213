// Where a producer's links go: to addresses it was given, or to the link addresses of the members that some node's API names.

/// Where a link goes, and who has to answer there.
struct LinkTarget: Equatable, Sendable {
    let endpoint: Endpoint
    /// What the certificate has to be for, with TLS: nodes show their ids to each other, and to whoever knows them by these.
    let name: String
}

/// Finds the nodes' link addresses.
enum LinkDirectory: Sendable {
    case fixed([Endpoint])
    /// - Parameter isTLS: whether links speak TLS; `nil`: if the node that names them does.
    case api(OperatorClient, isTLS: Bool?)

    /// All addresses in the order in which to try them. Those of an API are shuffled, so that producers spread over the nodes.
    func addresses() async -> Result<[LinkTarget], OperatorError> {
        switch self {
        case .fixed(let endpoints): return .success(endpoints.map { LinkTarget(endpoint: $0, name: $0.host) })
        case .api(let client, let isTLS):
            do throws(OperatorError) {
                let (nodes, namer) = try await client.nodesAndWhoNamesThem()
                let targets = nodes.nodes.compactMap { node -> LinkTarget? in
                    guard let address = try? Endpoint(node.link) else { return nil }
                    let endpoint = Endpoint(host: address.host, port: address.port, isTLS: isTLS ?? namer.isTLS)
                    return LinkTarget(endpoint: endpoint, name: node.id)
                }
                return targets.isEmpty ? .failure(.unreadable("no node has a link address")) : .success(targets.shuffled())
            } catch {
                return .failure(error)
            }
        }
    }
}
