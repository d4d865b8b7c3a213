// A request for a page of a history: read piece by piece from the owner, wherever that is, and answered once.
import NIOCore
import RingpostCore
import RingpostWire

/// Used on its shard's event loop only.
final class HistoryExchange: HeldRequest {
    private let shard: Shard
    /// A client's own mailbox, so that an operator's order reaches it.
    let user: Key?
    let grant: ClientGrant?
    private var read: HistoryRead?
    private var exchange: (any HTTPExchange)?

    private init(shard: Shard, user: Key?, grant: ClientGrant?, exchange: any HTTPExchange) {
        self.shard = shard
        self.user = user
        self.grant = grant
        self.exchange = exchange
    }

    /// Answers with the page, or with why there is none.
    ///
    /// - Parameters:
    ///   - owner: whom it is charged to.
    ///   - user: the client's, and its grant; `nil` on the API port.
    /// - Throws: that the asker reads too much.
    static func answer(
        _ query: HistoryQuery, for owner: ByteOwner, user: Key? = nil, grant: ClientGrant? = nil, on exchange: any HTTPExchange,
        shard: Shard
    ) throws(ProblemReport) {
        let held = HistoryExchange(shard: shard, user: user, grant: grant, exchange: exchange)
        exchange.hold(held)
        let read = try shard.history.read(query, for: owner) { held.onResult($0, query.key) }
        // The owner may be on this shard, and have answered already.
        if held.exchange != nil { held.read = read }
    }

    private func onResult(_ result: Result<HistoryPage, Problem>, _ key: Key) {
        switch result {
        case .success(let page):
            var body: [UInt8] = []
            page.appendJSON(of: key, to: &body)
            var response = HTTPResponse.json(body)
            response.headers.append(("Cache-Control", "no-store"))
            respond(response)
        case .failure(let problem): respond(.problem(problem))
        }
    }

    private func respond(_ response: HTTPResponse) {
        let exchange = exchange
        self.exchange = nil
        read = nil
        exchange?.respond(response)
    }

    private func give(up response: HTTPResponse) {
        if let read { shard.history.cancel(read) }
        respond(response)
    }

    /// While clients go elsewhere the page still comes, within moments; a node that stops answers at once.
    func finish(_ disconnect: Disconnect?) { if disconnect == nil { give(up: .problem(.stopping)) } }

    func end(_ disconnect: Disconnect) {
        switch disconnect.reason {
        case .revoked: give(up: .problem(.unauthorized, AuthError.revoked.message))
        case .tokenExpired: give(up: .problem(.unauthorized, AuthError.outdated.message))
        case .disconnected: give(up: .problem(.forbidden, "an operator has disconnected this user"))
        default: give(up: .problem(.overloaded, disconnect: disconnect))
        }
    }

    /// It waits for nothing but the owner.
    func hasten() {}

    func cancel() {
        exchange = nil
        if let read { shard.history.cancel(read) }
        read = nil
    }
}
