// The accepting side of a link's handshake, up to the point where it is known who is there: hello, then where links have a secret a
// challenge and its proof. What a hello says is objected to only after that, so that a stranger is told nothing about the cluster.

/// What is known of the other side from the connection itself.
public enum LinkPeer: Hashable, Sendable {
    /// Without TLS, nothing.
    case unknown
    /// TLS, without a certificate: enough for a producer.
    case nameless
    /// TLS with a certificate of the cluster's authority.
    case named(CertificateNames)

    /// A sentence, unless the other side may call itself by this id.
    public func objection(to id: String) -> String? {
        switch self {
        case .unknown: nil
        case .nameless: "nodes link with a certificate here: start yours with --link-certificate, --link-key and --link-authority"
        case .named(let names) where names.fit(id): nil
        case .named(let names): "the certificate belongs to \(names.text), not to \"\(id)\""
        }
    }
}

/// One handshake of a connection that was accepted.
public struct LinkAcceptor: Sendable {
    private enum State {
        /// Can transition to challenged, over.
        case silent
        /// Can transition to over.
        case challenged(LinkHello, LinkNonce)
        /// Answered one way or the other. Final.
        case over
    }

    private var state = State.silent
    private let secrets: LinkSecrets?
    private let peer: LinkPeer

    /// - Parameters:
    ///   - secrets: of the moment at which the hello comes; `nil` where links have none.
    ///   - peer: what TLS says of the other side.
    public init(secrets: LinkSecrets?, peer: LinkPeer) {
        self.secrets = secrets
        self.peer = peer
    }

    /// Set while a proof is awaited: a connection that ends meanwhile was a stranger's.
    public var isChallenging: Bool { if case .challenged = state { true } else { false } }

    /// What a frame leads to.
    public enum Action: Hashable, Sendable {
        case challenge(LinkNonce, LinkProof)
        /// It is who it says it is, as far as can be known here. Whether such a one is wanted is another question.
        case greet(LinkHello)
        case refuse(LinkHello, String)
    }

    /// - Parameter nonce: fresh.
    public mutating func onHello(_ hello: LinkHello, nonce: LinkNonce) throws(LinkError) -> Action {
        guard case .silent = state else { throw LinkError("a second hello") }
        state = .over
        // Another version's hello can't even be read.
        guard hello.version == LinkProtocol.version else { return .greet(hello) }
        // Keys of producers are looked at where publishes are.
        if hello.role == .producer { return .greet(hello) }
        if let sentence = peer.objection(to: hello.from) { return .refuse(hello, sentence) }
        guard let secrets else { return .greet(hello) }
        state = .challenged(hello, nonce)
        return .challenge(nonce, secrets.proof(.accepting, hello, nonce))
    }

    /// Answers the challenge.
    public mutating func onProof(_ proof: LinkProof) throws(LinkError) -> Action {
        guard case .challenged(let hello, let nonce) = state, let secrets else { throw LinkError("a proof that nobody asked for") }
        state = .over
        guard secrets.accepts(proof, .dialling, hello, nonce) else {
            return .refuse(hello, "the link secret is not this cluster's: give all nodes the same --link-secret-file")
        }
        return .greet(hello)
    }
}
