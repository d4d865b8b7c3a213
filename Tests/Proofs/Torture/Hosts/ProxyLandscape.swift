// For machines that allow no namespaces: all hosts are this one, and every way between two of them leads through this process, which can
// stop passing bytes on.

import RingpostClient
import Synchronization
import TestSupport

final class ProxyLandscape: Landscape {
    let mode = "all on loopback, links and ZooKeeper reached through proxies that cut them"
    let cutsWays = true
    private let gate = ProxyGate()
    private let proxies = Mutex<[Proxy]>([])

    func namespace(_ host: String) -> ProcessNamespace { .loopback }

    func way(from one: String?, to other: String, at endpoint: Endpoint) async throws -> Endpoint {
        let proxy = try await Proxy(from: one, to: other, at: endpoint, gate: gate)
        proxies.withLock { $0.append(proxy) }
        return proxy.endpoint
    }

    func cut(_ one: String, _ other: String) { gate.cut([one, other]) }

    func heal() { gate.heal() }
}
