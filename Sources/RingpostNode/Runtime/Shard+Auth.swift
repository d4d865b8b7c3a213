// Tokens on an event loop: checked where they arrive, remembered for as long as they are good, and ended when an operator says so.
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

/// Why a client's token was not taken.
enum TokenRefusal: Error {
    case distrust(AuthError)
    /// Nothing is wrong with the token as far as is known.
    case problem(ProblemReport)

    /// What a request is answered.
    var report: ProblemReport {
        switch self {
        case .distrust(let distrust): ProblemReport(.unauthorized, distrust.message)
        case .problem(let report): report
        }
    }

    /// Why a socket ends.
    var closeReason: CloseReason {
        switch self {
        case .distrust(.expired): .tokenExpired
        case .distrust(.revoked): .revoked
        case .distrust: .unauthorized
        case .problem: .tryLater
        }
    }
}

extension Shard {
    /// Checks a token; answers at once, or when keys have been fetched that it may have been made with.
    ///
    /// - Parameters:
    ///   - source: whom a check is counted for; `nil` where that has been done.
    ///   - body: called on this loop, once.
    func check(_ token: [UInt8], from source: SourceAddress?, _ body: @escaping (Result<ClientGrant, TokenRefusal>) -> Void) {
        guard let tokens = shared.tokens else {
            return body(.failure(.problem(ProblemReport(.badParameter, "this node asks for no token"))))
        }
        let hash = Array(SHA256.hash(data: token))
        if let grant = grants.grant(hash, generation: tokens.generation, nowSeconds: Moment.now().wall / 1_000) {
            return body(answer(grant))
        }
        if source != nil, !shared.quotas.onHandshake(source, now: Moment.now().monotonic) {
            counters.count(.connectRatePerAddress)
            return body(.failure(.problem(ProblemReport(.tooFast))))
        }
        switch tokens.verify(token, nowSeconds: Moment.now().wall / 1_000) {
        case .granted(let grant):
            grants.remember(grant, hash)
            body(answer(grant))
        case .refused(let distrust): body(refuse(distrust))
        case .keysMissing, .mayHelpToFetch:
            let shard = NIOLoopBound((self, body), eventLoop: eventLoop)
            tokens.awaitKeys { [eventLoop] in
                eventLoop.execute {
                    let (shard, body) = shard.value
                    body(shard.checkAgain(token, hash, tokens))
                }
            }
        }
    }

    private func checkAgain(_ token: [UInt8], _ hash: [UInt8], _ tokens: TokenVerifier) -> Result<ClientGrant, TokenRefusal> {
        switch tokens.verify(token, nowSeconds: Moment.now().wall / 1_000, isSecondTry: true) {
        case .granted(let grant):
            grants.remember(grant, hash)
            return answer(grant)
        case .refused(let distrust): return refuse(distrust)
        case .keysMissing, .mayHelpToFetch:
            return .failure(.problem(ProblemReport(.overloaded, "the keys for tokens could not be fetched yet; try again later")))
        }
    }

    private func answer(_ grant: ClientGrant) -> Result<ClientGrant, TokenRefusal> {
        guard revocations != nil else {
            return .failure(.problem(ProblemReport(.overloaded, "this node does not know yet which tokens have been revoked; try again")))
        }
        return isRevoked(grant) ? refuse(.revoked) : .success(grant)
    }

    private func refuse(_ distrust: AuthError) -> Result<ClientGrant, TokenRefusal> {
        counters.count(distrust)
        return .failure(.distrust(distrust))
    }

    /// Whether an operator has taken the token back.
    func isRevoked(_ grant: ClientGrant) -> Bool {
        guard let user = grant.user, let hasher = view?.hasher, let revocations else { return false }
        let hash = user.withUnsafeBytes { hasher.hash(.user, utf8: $0) }
        let tokenHash = grant.tokenID.map { Revocation.tokenHash($0, hasher: hasher) }
        return revocations.revokes(user: hash, tokenHash: tokenHash, issuedAt: grant.issuedAt)
    }

    /// The list of revocations has changed: who holds a token that is on it, goes.
    func take(_ revocations: RevocationList) {
        self.revocations = revocations
        for socket in sockets {
            if let stream = socket as? StreamingConnection, let grant = stream.grant, isRevoked(grant) { stream.end(Disconnect(.revoked)) }
            (socket as? HTTPConnection)?.endHeld(Disconnect(.revoked)) { $0.grant.map(isRevoked) == true }
        }
    }

    /// Ends all sockets of a user on this loop; returns how many there were.
    func disconnect(_ user: Key, resumes: Bool) -> Int {
        var count = 0
        for socket in sockets {
            // Those who are to come back are spread as if the node were leaving.
            let disconnect = { [self] in resumes ? admission.disconnect(.goingAway) : Disconnect(.disconnected) }
            if let stream = socket as? StreamingConnection, stream.user == user, !stream.isClosing {
                stream.end(disconnect())
                count += 1
            }
            count += (socket as? HTTPConnection)?.endHeld(disconnect()) { $0.user == user } ?? 0
        }
        return count
    }
}
