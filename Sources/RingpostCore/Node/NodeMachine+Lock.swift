// The lock that lets one member at a time withdraw: one thing about it is under way at a time. It is ephemeral, so it goes with its
// session, and what comes late for an earlier session is known by the member.

extension NodeMachine {
    /// A release that ZooKeeper did not answer is repeated after so long.
    static let lockRetryMilliseconds: Int64 = 1_000

    /// What is done about the lock.
    enum Lock: Sendable {
        /// Can transition to taking and releasing.
        case idle
        /// Can transition to idle.
        case taking
        /// Can transition to idle, taking and waiting.
        case releasing(thenTakes: Bool)
        /// The release has failed. Can transition to releasing and taking.
        case waiting(until: Int64)
    }

    mutating func takeLock(now: Int64, _ actions: inout [NodeAction]) {
        guard isRegistered else { return perform(withdrawal?.onLock(.failed, now: now), now: now, &actions) }
        switch lock {
        case .taking: break
        case .releasing: lock = .releasing(thenTakes: true)
        case .idle, .waiting:
            lock = .taking
            actions.append(.takeLock(identity))
        }
    }

    mutating func releaseLock(_ actions: inout [NodeAction]) {
        switch lock {
        case .releasing: lock = .releasing(thenTakes: false)
        case .idle, .taking, .waiting:
            lock = .releasing(thenTakes: false)
            actions.append(.releaseLock(identity))
        }
    }

    mutating func onLock(_ answer: WithdrawalMachine.LockAnswer, of member: MemberIdentity, now: Int64, _ actions: inout [NodeAction]) {
        guard member == identity, case .taking = lock else { return }
        lock = .idle
        var answer = answer
        if case .taken(let transaction) = answer { answer = .taken(epoch: transaction + (document?.epochBase ?? 0)) }
        perform(withdrawal?.onLock(answer, now: now), now: now, &actions)
    }

    mutating func onLockReleased(isDone: Bool, of member: MemberIdentity, now: Int64, _ actions: inout [NodeAction]) {
        guard member == identity, case .releasing(let thenTakes) = lock else { return }
        if thenTakes {
            lock = .taking
            actions.append(.takeLock(identity))
        } else {
            lock = isDone ? .idle : .waiting(until: now + Self.lockRetryMilliseconds)
        }
    }

    mutating func retryLock(now: Int64, _ actions: inout [NodeAction]) {
        guard case .waiting(let until) = lock, until <= now else { return }
        releaseLock(&actions)
    }
}
