// The dialling side of a link's handshake: says hello, answers a challenge where links have a secret, and believes a welcome only from
// somebody who has proven to know it.

/// One handshake of a connection that was dialled.
public struct LinkDialler: Sendable {
    private enum State {
        /// Can transition to proven, over.
        case greeting
        /// Can transition to over.
        case proven
        /// Welcome, or given up. Final.
        case over
    }

    private var state = State.greeting
    private let secrets: LinkSecrets?
    /// What is said first.
    public let hello: LinkHello

    /// - Parameter secrets: `nil` where links have none.
    public init(_ hello: LinkHello, secrets: LinkSecrets?) {
        self.hello = hello
        self.secrets = secrets
    }

    /// The proof to answer with.
    public mutating func onChallenge(_ nonce: LinkNonce, _ proof: LinkProof) throws(LinkError) -> LinkProof {
        guard case .greeting = state else { throw LinkError("a challenge out of turn") }
        state = .over
        guard let secrets else {
            throw LinkError("the other side's links have a secret, and this node has none: give all nodes the same --link-secret-file")
        }
        guard secrets.accepts(proof, .accepting, hello, nonce) else {
            throw LinkError("the other side does not know this node's link secret: give all nodes the same --link-secret-file")
        }
        state = .proven
        return secrets.proof(.dialling, hello, nonce)
    }

    /// Whether a welcome is to be believed.
    public mutating func onWelcome() throws(LinkError) {
        defer { state = .over }
        switch state {
        case .greeting where secrets == nil, .proven: break
        case .greeting:
            throw LinkError("the other side welcomes without a proof of the link secret: give all nodes the same --link-secret-file")
        case .over: throw LinkError("a welcome out of turn")
        }
    }
}
