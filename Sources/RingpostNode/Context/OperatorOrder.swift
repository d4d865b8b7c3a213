// What an operator can tell a node to do, and how it travels: any node takes the order and passes it on over its link to the
// one that is meant.
import RingpostCore
import RingpostWire

/// An order to one node.
enum OperatorOrder: Hashable, Sendable {
    /// Drain, and leave.
    case drain
    /// Take this weight; one above 0 takes a drain back.
    case weight(UInt16)

    /// Reads what came over a link; `nil` for what is no order.
    init?(_ question: LinkQuestion, _ argument: [UInt8]) {
        switch (question, argument.count) {
        case (.drain, 0): self = .drain
        case (.weight, 2): self = .weight(UInt16(argument[0]) | UInt16(argument[1]) << 8)
        default: return nil
        }
    }

    /// For the audit log.
    var text: String {
        switch self {
        case .drain: "drain"
        case .weight(let weight): "weight \(weight)"
        }
    }

    /// As it is asked over a link.
    var question: LinkQuestion {
        switch self {
        case .drain: .drain
        case .weight: .weight
        }
    }

    /// The question's argument.
    var argument: [UInt8] {
        switch self {
        case .drain: []
        case .weight(let weight): [UInt8(truncatingIfNeeded: weight), UInt8(truncatingIfNeeded: weight >> 8)]
        }
    }
}

/// What the node says to an order, as it travels on links.
struct OperatorAnswer: Codable, Hashable, Sendable {
    /// Why it is not done, for programs; `nil` if it is.
    var code: String?
    /// Why it is not done, for people.
    var message: String?

    /// It is being done.
    static let accepted = OperatorAnswer()
    /// The node has just begun and knows nothing of a ring.
    static let notYet = OperatorAnswer(code: "not_ready", message: "the node is just starting; try again")
    /// The node that was asked doesn't know which members there are.
    static let notInARing = OperatorAnswer(code: notYet.code, message: "the node that was asked is not in a ring yet; try again")

    /// - Parameter refusal: why it can't be done.
    static func refused(_ refusal: DrainRefusal) -> OperatorAnswer {
        OperatorAnswer(code: refusal.rawValue, message: refusal.message)
    }
}
