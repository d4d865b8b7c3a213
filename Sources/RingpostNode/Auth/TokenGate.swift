// Clients' tokens on one event loop: checked where they arrive, remembered for as long as they are good, and good no more when an operator
// has taken them back.
import Crypto
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

/// Tokens that have been found good, by their hash, so that a client who polls is not checked with each poll.
struct GrantCache {
    /// Beyond it all are forgotten: what comes again is checked again.
    static let countMax = 16_384

    private var generation: UInt64 = 0
    private var grants: [[UInt8]: ClientGrant] = [:]

    var count: Int { grants.count }

    /// - Parameter generation: of the keys; what was found good with earlier ones does not count.
    mutating func grant(_ hash: [UInt8], generation: UInt64, nowSeconds: Int64) -> ClientGrant? {
        if generation != self.generation {
            self.generation = generation
            grants = [:]
        }
        guard let grant = grants[hash] else { return nil }
        if !grant.isOver(nowSeconds: nowSeconds) { return grant }
        grants[hash] = nil
        return nil
    }

    mutating func remember(_ grant: ClientGrant, _ hash: [UInt8]) {
        if grants.count >= Self.countMax { grants = [:] }
        grants[hash] = grant
    }
}

/// Why a client's token is refused.
enum TokenRefusal: Error {
    case refused(AuthRefusal)
    /// The token's client or address has too many new tokens checked.
    case tooFast
    /// Nothing is wrong with the token as far as is known.
    case problem(ProblemReport)

    /// What a request is answered.
    var report: ProblemReport {
        switch self {
        case .refused(let refusal): ProblemReport(.unauthorized, refusal.message)
        case .tooFast: ProblemReport(.tooFast)
        case .problem(let report): report
        }
    }

    /// Why a socket ends.
    var closeReason: CloseReason {
        switch self {
        case .refused(let refusal):
            refusal.error == .expired || refusal.error == .outdated ? .tokenExpired : refusal.error == .revoked ? .revoked : .unauthorized
        case .tooFast, .problem: .tryLater
        }
    }
}

/// Used on its event loop only.
final class TokenGate {
    private let tokens: TokenVerifier?
    private let quotas: NodeQuotas
    private let eventLoop: any EventLoop
    private let loops: LoopGate
    private var grants = GrantCache()
    /// Tokens that have been taken back; `nil` while that is not known, and then no token is good.
    private var revocations: RevocationList?
    /// The keys that tokens are checked with; `nil` before they have changed for the first time since the start.
    private var signers: Set<TokenSigner>?
    /// The cluster's; revocations name users by their hash.
    private var hasher: KeyHasher?
    private let onSignature: () -> Void

    /// - Parameters:
    ///   - tokens: `nil` where clients are asked for no token.
    ///   - onSignature: called before a signature is checked, which takes longer than most requests.
    init(tokens: TokenVerifier?, quotas: NodeQuotas, eventLoop: any EventLoop, loops: LoopGate, onSignature: @escaping () -> Void) {
        self.tokens = tokens
        self.loops = loops
        self.quotas = quotas
        self.eventLoop = eventLoop
        self.onSignature = onSignature
    }

    var grantCount: Int { grants.count }

    func setHasher(_ hasher: KeyHasher) { self.hasher = hasher }
    func setSigners(_ signers: Set<TokenSigner>) { self.signers = signers }
    /// - Returns: whether these are the first ones.
    func setRevocations(_ revocations: RevocationList) -> Bool {
        defer { self.revocations = revocations }
        return self.revocations == nil
    }

    /// Checks a token; answers at once, or when keys have been fetched that it may have been made with.
    ///
    /// - Parameters:
    ///   - source: whom a check is counted for; `nil` where that has been done.
    ///   - body: called on this event loop, once.
    func check(_ token: [UInt8], from source: SourceAddress?, _ body: @escaping (Result<ClientGrant, TokenRefusal>) -> Void) {
        guard let tokens else { return body(.failure(.problem(ProblemReport(.badParameter, "this node asks for no token")))) }
        let now = Moment.now()
        let hash = Array(SHA256.hash(data: token))
        if let grant = grants.grant(hash, generation: tokens.generation, nowSeconds: now.wall / 1_000) { return body(answer(grant)) }
        if source != nil, !quotas.onHandshake(source, now: now.monotonic) { return body(.failure(.tooFast)) }
        onSignature()
        switch tokens.verify(token, nowSeconds: now.wall / 1_000) {
        case .granted(let grant):
            grants.remember(grant, hash)
            body(answer(grant))
        case .refused(let refusal): body(.failure(.refused(refusal)))
        case .keysMissing: body(.failure(Self.keysMissing))
        case .mayHelpToFetch(let issuer):
            let waiting = NIOLoopBound((self, body), eventLoop: eventLoop)
            tokens.awaitKeys(of: issuer) { [eventLoop, loops] in
                loops.execute(on: eventLoop) {
                    let (gate, body) = waiting.value
                    body(gate.checkAgain(token, hash, tokens))
                }
            }
        }
    }

    private func checkAgain(_ token: [UInt8], _ hash: [UInt8], _ tokens: TokenVerifier) -> Result<ClientGrant, TokenRefusal> {
        switch tokens.verify(token, nowSeconds: Moment.now().wall / 1_000, isSecondTry: true) {
        case .granted(let grant):
            grants.remember(grant, hash)
            return answer(grant)
        case .refused(let refusal): return .failure(.refused(refusal))
        case .keysMissing, .mayHelpToFetch: return .failure(Self.keysMissing)
        }
    }

    private static let keysMissing = TokenRefusal.problem(
        ProblemReport(.overloaded, "the keys for tokens could not be fetched yet; try again later"))

    private func answer(_ grant: ClientGrant) -> Result<ClientGrant, TokenRefusal> {
        guard revocations != nil else {
            return .failure(.problem(ProblemReport(.overloaded, "this node does not know yet which tokens have been revoked; try again")))
        }
        return revocation(of: grant).map { .failure(.refused(AuthRefusal($0))) } ?? .success(grant)
    }

    /// Why a client that was let in with the token has to go; `nil` if it may stay.
    func reasonToEnd(_ grant: ClientGrant) -> CloseReason? {
        if let error = revocation(of: grant) { return TokenRefusal.refused(AuthRefusal(error)).closeReason }
        // A new token, of a key that is there, is welcome.
        if let signers, let signer = grant.signer, !signers.contains(signer) { return .tokenExpired }
        return nil
    }

    /// How an operator has taken the token back; `nil` if nobody has.
    private func revocation(of grant: ClientGrant) -> AuthError? {
        guard let user = grant.user, let hasher, let revocations else { return nil }
        let keyHash = revocations.concernsKeys ? grant.signer?.id.map { Revocation.keyHash($0, hasher: hasher) } : nil
        if revocations.revokesSigned(by: keyHash, issuedAt: grant.issuedAt) { return .outdated }
        let hash = user.withUnsafeBytes { hasher.hash(.user, utf8: $0) }
        let tokenHash = grant.tokenID.map { Revocation.tokenHash($0, hasher: hasher) }
        return revocations.revokes(user: hash, tokenHash: tokenHash, issuedAt: grant.issuedAt) ? .revoked : nil
    }
}
