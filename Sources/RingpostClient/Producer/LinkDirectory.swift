// Where a producer's links go: to addresses it was given, or to the link addresses of the members that some node's API names.

/// Finds the nodes' link addresses.
enum LinkDirectory: Sendable {
    case fixed([Endpoint])
    case api(OperatorClient)

    /// All addresses in the order in which to try them. Those of an API are shuffled, so that producers spread over the nodes.
    func addresses() async -> Result<[Endpoint], OperatorError> {
        switch self {
        case .fixed(let endpoints): return .success(endpoints)
        case .api(let client):
            do throws(OperatorError) {
                let nodes = try await client.nodes().nodes
                let endpoints = nodes.compactMap { try? Endpoint($0.link) }
                return endpoints.isEmpty ? .failure(.unreadable("no node has a link address")) : .success(endpoints.shuffled())
            } catch {
                return .failure(error)
            }
        }
    }
}
