// `GET /metrics`: what all shards count, for Prometheus.
import RingpostWire

struct MetricsRoutes {
    let shard: Shard

    func metrics(_ request: HTTPRequest, _ exchange: any HTTPExchange) {
        let shared = shard.shared
        let response = shard.group.snapshot(countsSlots: true, on: shard.eventLoop).map {
            HTTPResponse.text(MetricsText.render($0, shared), type: "text/plain; version=0.0.4")
        }
        exchange.respond(response, to: request.head, shard: shard)
    }
}
