// How far a drain is, for operators.
import RingpostCore

/// How far a drain is, for operators.
struct DrainReport: Codable, Sendable {
    /// `handingOver`, `movingSockets` or `leaving`.
    let phase: String
    /// `order` or `signal`.
    let cause: String
    /// Slots that the node still owns.
    let slots: Int?
    /// Slots of which it still holds a copy.
    let copies: Int?
    /// Sockets that are still there.
    let sockets: Int?
    /// Since it began.
    let seconds: Int64

    init(_ progress: DrainMachine.Progress, now: Int64) {
        phase = progress.phase.rawValue
        cause = progress.cause.rawValue
        slots = progress.look?.slots
        copies = progress.look?.copies
        sockets = progress.look?.sockets
        seconds = (now - progress.since) / 1_000
    }
}
