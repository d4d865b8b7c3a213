// A drain as it looks from outside: one answer of `/v1/nodes` after the other, until the node has left. The node that is asked
// may be the very one that leaves, so that in the end nobody answers; that is an end too, if it was that far.
import RingpostWire

/// What has become of a drain that a node has accepted.
public struct DrainWatch: Sendable {
    /// So many times in a row nobody may answer before that means something.
    public static let silencesMax = 3

    /// What an answer says.
    public enum News: Equatable, Sendable {
        /// It goes on.
        case progress(String, seconds: Int?)
        /// The node has left; a sentence about it.
        case left(String)
        /// It will not leave, or it is not known; a sentence about it.
        case failed(String)
    }

    private let node: String
    private var boot: String?
    private var lastPhase: String?
    private var silences = 0

    /// - Parameter node: the id of the node that drains.
    public init(node: String) { self.node = node }

    /// A node has answered.
    public mutating func onNodes(_ report: NodesReport) -> News {
        silences = 0
        guard let entry = report.nodes.first(where: { $0.id == node }) else { return .left("\(node) has left the ring") }
        if let draining = entry.draining {
            boot = entry.boot
            lastPhase = draining.phase
            return .progress(Self.text(draining), seconds: draining.seconds)
        }
        guard entry.answered else { return .progress("\(node) doesn't answer, but is still in the ring", seconds: nil) }
        if let boot, let now = entry.boot, boot != now { return .left("\(node) has left the ring, and is back as a new process") }
        return .failed("\(node) does not drain any more: somebody has taken it back")
    }

    /// Nobody has answered.
    public mutating func onSilence(_ error: OperatorError) -> News {
        silences += 1
        if silences < Self.silencesMax { return .progress("nobody answers", seconds: nil) }
        if lastPhase == "handingOver" {
            return .failed("nobody answers any more, and \(node) was still handing over: \(error)")
        }
        return .left("\(node) has gone: nobody answers at the given addresses any more")
    }

    /// One line of progress.
    public static func text(_ draining: NodeReport.Draining) -> String {
        func count(_ number: Int?, _ one: String, _ many: String) -> String {
            number.map { "\($0) \($0 == 1 ? one : many)" } ?? "? \(many)"
        }
        switch draining.phase {
        case "handingOver":
            return "handing over: \(count(draining.slots, "slot", "slots")) and \(count(draining.copies, "copy", "copies")) left"
        case "movingSockets": return "moving sockets: \(draining.sockets.map(String.init) ?? "?") left"
        case "leaving": return "leaving the ring"
        default: return draining.phase
        }
    }
}
