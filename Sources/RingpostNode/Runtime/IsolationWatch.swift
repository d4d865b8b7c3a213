// A node that is cut off from everybody can give its clients nothing new: they are better off elsewhere. One that reaches other members, even
// frozen ones, keeps its clients: elsewhere they would get no more.
import RingpostCore

/// Decides when the clients of one shard are asked to go elsewhere because the node is cut off.
struct IsolationWatch {
    /// Over what time the clients of an isolated node are asked to go.
    static let moveMilliseconds: Int64 = 5_000

    private enum State {
        /// Can transition to cutOff.
        case connected
        /// Can transition to connected, moving.
        case cutOff(since: Int64)
        /// The clients have been asked to go. Can transition to connected.
        case moving
    }

    enum Action: Equatable {
        case nothing
        case moveClients
        case keepClients
    }

    private var state = State.connected

    /// - Parameters:
    ///   - isCutOff: the node may not act, and reaches no other member.
    ///   - isMoving: the clients have been asked to go already, for another reason.
    mutating func onTick(isCutOff: Bool, isMoving: Bool, now: Int64) -> Action {
        switch (state, isCutOff) {
        case (.connected, false), (.moving, true): return .nothing
        case (.cutOff, false):
            state = .connected
            return .nothing
        case (.moving, false):
            state = .connected
            return .keepClients
        case (.connected, true):
            state = .cutOff(since: now)
            return .nothing
        case (.cutOff(let since), true):
            // As long as a subscription waits for an owner out of reach.
            if now - since < SubscriptionMachine.unreachableMillisecondsMax || isMoving { return .nothing }
            state = .moving
            return .moveClients
        }
    }
}
