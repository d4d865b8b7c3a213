// What a request on the API port may do, by the key that it brings. A connection remembers its last one, so that a producer's key is looked
// up once a connection and not once a message.
import RingpostCore
import RingpostWire

extension HTTPPeer {
    /// The file of keys has changed since the last look.
    func isAPIKeyStale(_ shard: Shard) -> Bool {
        guard let keys = shard.context.apiKeys else { return false }
        return apiKey?.generation != keys.generation
    }

    /// What the request may do.
    ///
    /// - Throws: that its key is missing, or not known.
    func apiGrant(_ head: HTTPRequestHead, shard: Shard) throws(ProblemReport) -> APIGrant {
        guard let keys = shard.context.apiKeys else {
            // Without keys anybody on this machine may, but no page that somebody on this machine happens to look at: its requests arrive,
            // whether it can read the answers or not.
            if head.has(.origin), head.method == .post { throw ProblemReport(.forbiddenOrigin, "pages may not use this port") }
            try HostPolicy.check(head, self, shard.context.configuration)
            return .all
        }
        let generation = keys.generation
        if let known = apiKey, known.generation == generation, !known.grant.isOver(nowSeconds: Moment.now().wall / 1_000),
            head.withBytes(of: .authorization, { $0?.elementsEqual(known.text) == true })
        {
            return known.grant
        }
        guard let credential = head.bearerToken else {
            shard.counters.count(.missing)
            throw ProblemReport(.unauthorized, "bring an API key: Authorization: Bearer rp_…; `ringpost key new` makes one")
        }
        guard let grant = keys.grant(credential, nowSeconds: Moment.now().wall / 1_000) else {
            shard.counters.count(.wrongKey)
            throw ProblemReport(.unauthorized, AuthError.wrongKey.message)
        }
        apiKey = KnownAPIKey(
            text: head.withBytes(of: .authorization) { $0.map(Array.init) ?? [] }, generation: generation, grant: grant)
        return grant
    }
}

extension Shard {
    /// Refuses what a key may not do.
    func require(_ isAllowed: Bool, _ what: StaticString) throws(ProblemReport) {
        if isAllowed { return }
        counters.count(.notGranted)
        throw ProblemReport(.forbidden, "this API key may not \(what)")
    }
}
