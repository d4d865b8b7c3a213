// Paging through what users and channels were sent.
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

struct HistoryRoutes {
    let shard: Shard

    func answer(_ kind: KeyKind, _ request: HTTPRequest, _ grant: APIGrant, _ exchange: any HTTPExchange) throws(ProblemReport) {
        let view = try shard.currentView()
        let key = try Key(kind, percentEncoded: request.name, hasher: view.hasher)
        guard let query = HTTPQuery(request.head.query ?? ByteBufferView()) else {
            throw ProblemReport(.badParameter, "the query is not valid percent-encoding, or has too many parameters")
        }
        let parameters = try HistoryParameters(query)
        let owner = grant.id.map(ByteOwner.key) ?? exchange.peerAddress.map(ByteOwner.address) ?? .nobody
        try HistoryExchange.answer(parameters.query(of: key), for: owner, on: exchange, shard: shard)
    }
}
