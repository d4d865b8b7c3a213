// When the name in a link's address is looked up, and which attempt to dial the answer is for: a look-up may take longer than an attempt may.

/// The look-ups of one link, one at a time.
public struct LinkLookup<Addresses: Collection & Sendable>: Sendable {
    private enum State {
        /// Can transition to asking.
        case idle
        /// A look-up is under way. Can transition to idle, found.
        case asking
        /// The answer has come between two attempts, and is the next one's. Can transition to idle.
        case found(Addresses)
    }

    /// What the shell has to do.
    public enum Action {
        /// Look the name up.
        case ask
        /// Nothing: the answer is on its way, or kept.
        case wait
        /// Connect to one of these.
        case connect(Addresses)
    }

    private var state = State.idle

    /// Nothing is asked.
    public init() {}

    /// An attempt begins.
    public mutating func onDial() -> Action {
        switch state {
        case .idle:
            state = .asking
            return .ask
        case .asking: return .wait
        case .found(let addresses):
            state = .idle
            return .connect(addresses)
        }
    }

    /// The answer is here, for whichever attempt is under way by now. That a name is unknown is not kept.
    ///
    /// - Parameter isDialling: an attempt is under way.
    public mutating func onFound(_ addresses: Addresses, isDialling: Bool) -> Action {
        guard case .asking = state else { preconditionFailure("an answer to no question") }
        state = isDialling || addresses.isEmpty ? .idle : .found(addresses)
        return isDialling ? .connect(addresses) : .wait
    }
}

extension LinkLookup.Action: Equatable where Addresses: Equatable {}
