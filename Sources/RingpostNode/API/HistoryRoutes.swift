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
        let parameters = try HistoryParameters(request.head.checkedQuery())
        let owner = ByteOwner(key: grant.id, address: exchange.peerAddress)
        try HistoryExchange.answer(parameters.query(of: key), for: owner, on: exchange, shard: shard)
    }
}
