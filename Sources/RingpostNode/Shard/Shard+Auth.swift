// Tokens of one shard's clients: checks are counted, and clients whose token is taken back, or whom an operator disconnects, go.
import RingpostCore
import RingpostWire

extension Shard {
    /// As ``TokenGate/check(_:from:_:)``; refusals are counted.
    ///
    /// - Parameter remote: the other side's address, where refusals are written down.
    func check(
        _ token: [UInt8], from source: SourceAddress?, remote: String?, _ body: @escaping (Result<ClientGrant, TokenRefusal>) -> Void
    ) {
        tokenGate.check(token, from: source) { [self] result in
            switch result {
            case .success, .failure(.problem): break
            case .failure(.refused(let refusal)):
                counters.count(refusal.error)
                if let remote { context.audit?.recordRefusal(AuditEntry(refused: "token", result: refusal.error.rawValue, from: remote)) }
            case .failure(.tooFast): counters.count(.connectRatePerAddress)
            }
            body(result)
        }
    }

    /// Checks that a client may listen to a channel, and see who is there if it wants to.
    ///
    /// - Parameter otherwise: what is said where the channel's namespace has no rule for it.
    /// - Throws: that it may not; counted.
    func check(
        _ grant: ClientGrant, listensTo channel: Key, watches: Bool, otherwise: @autoclosure () -> String
    ) throws(ProblemReport) {
        let namespaces = context.configuration.namespaces
        let listens = grant.allowsSubscribe(to: channel, in: namespaces)
        if listens, !watches || grant.allowsPresence(of: channel, in: namespaces) { return }
        counters.count(AuthError.notGranted)
        guard let namespace = namespaces[channel], listens ? !namespace.allowsPresence : namespace.subscribe != nil else {
            throw ProblemReport(.forbidden, otherwise())
        }
        let refusal: NamespaceRefusal = listens ? .presence : .subscribe
        counters.count(refusal)
        throw ProblemReport(.forbidden, namespace.sentence(refusal))
    }

    /// The list of revocations has changed: clients whose token is on it are disconnected.
    func applyRevocations(_ revocations: RevocationList) {
        if tokenGate.setRevocations(revocations) { context.onShardKnowsRevocations() }
        tokenSweep.begin(self)
    }

    /// The keys that tokens are checked with have changed: clients that were let in by one that is gone are disconnected.
    func applySigners(_ signers: Set<TokenSigner>) {
        tokenGate.setSigners(signers)
        tokenSweep.begin(self)
    }

    /// Ends all sockets of a user on this shard; returns how many there were.
    func disconnect(_ user: Key, resumes: Bool) -> Int {
        // Clients that are to come back are spread as if the node were leaving.
        let disconnect = { [self] in resumes ? admission.disconnect(.goingAway) : Disconnect(.disconnected) }
        return runtime.allConnections.reduce(0) { count, connection in
            count + connection.endClients(disconnect) { other, _ in other == user }
        }
    }
}
