// What becomes of a subscriber's token, as a value: when another one is needed, and when asking for another would be asking forever.
import RingpostCore

/// A subscriber's decisions about its token.
struct TokenMachine: Sendable {
    private enum State: Sendable, Equatable {
        /// Nobody asks for tokens here, and none can be had. Final.
        case none
        /// None has been given yet. Can transition to held.
        case wanted
        /// A node has it, or gets it next. Can transition to spent.
        case held(String)
        /// A node has not taken it, or takes it no more, and would say this again. Can transition to held.
        case spent(String, SubscriberError)
    }

    private var state: State
    /// A node has refused a token, and none has been taken since.
    private var isRefused = false
    /// The end that has been announced and acted upon: polls announce it again and again.
    private var announced: Int64?

    /// - Parameter hasSource: whether somebody gives tokens.
    init(hasSource: Bool) { state = hasSource ? .wanted : .none }

    /// What to present.
    var token: String? {
        switch state {
        case .held(let token), .spent(let token, _): token
        case .none, .wanted: nil
        }
    }

    /// Whether the source is to be asked before the next connection.
    var needsToken: Bool {
        switch state {
        case .wanted, .spent: true
        case .none, .held: false
        }
    }

    /// The source has given a token for the next connection; an error if it is the one that a node does not take.
    mutating func onToken(_ token: String) -> Disconnect? {
        if case .spent(let old, let error) = state, old == token {
            let reason = "the token source gives the same token again"
            if case .stopped(let why) = error { return Disconnect(reason, final: .stopped("\(why), and \(reason)")) }
            return Disconnect(reason, final: error)
        }
        state = .held(token)
        return nil
    }

    /// The node says when the token expires: true if the source is to be asked.
    mutating func onExpiring(at milliseconds: Int64) -> Bool {
        guard case .held = state, announced != milliseconds else { return false }
        announced = milliseconds
        return true
    }

    /// The source has given a token while the old one still holds: true if it is another one, which the node is to have.
    mutating func onRenewal(_ token: String) -> Bool {
        guard case .held(let old) = state, old != token else { return false }
        state = .held(token)
        return true
    }

    /// Something has come over the connection.
    mutating func onTaken() { isRefused = false }

    /// A connection has ended, or could not be made: what that means once tokens are considered. The cases: 1 the token's time is
    /// over, and another one helps, if there can be one; 2 a first 401 may be about a token that has aged on its way; 3 the rest.
    mutating func onDisconnect(_ disconnect: Disconnect) -> Disconnect {
        var disconnect = disconnect
        if disconnect.renews {  // 1
            let error = SubscriberError.stopped(disconnect.reason)
            guard let token else {
                disconnect.final = error
                return disconnect
            }
            state = .spent(token, error)
        } else if case .refused(Problem.unauthorized.status, _, _)? = disconnect.final, let error = disconnect.final, let token, !isRefused
        {  // 2
            isRefused = true
            state = .spent(token, error)
            disconnect.final = nil
        }
        return disconnect  // 3
    }
}
