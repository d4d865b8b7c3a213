// Why a message has no receipt. Every case says whether it may have been delivered all the same.
import RingpostCore

/// What a producer answers instead of a receipt.
public enum ProducerError: Error, Equatable, Sendable, CustomStringConvertible {
    /// A node refused the message: it has certainly not been appended. The text is the node's own where it had one.
    case refused(Problem, String)
    /// The message was under way when its time ran out or its link broke: it may have been delivered. Repeat it with the
    /// same idempotency key.
    case outcomeUnknown
    /// The message's time ran out before a node could be reached: it has certainly not been sent.
    case notSent(String)
    /// Larger than a node takes.
    case tooLarge(bytes: Int, bytesMax: Int)
    /// The user id or the idempotency key can't be one.
    case badRequest(String)
    /// More callers wait for a place than the producer allows.
    case tooManyWaiting
    /// The producer has been closed.
    case closed

    /// A sentence that says what to do.
    public var description: String {
        switch self {
        case .refused(let problem, let message): "\(problem.code): \(message)"
        case .outcomeUnknown:
            "\(Problem.outcomeUnknown.code): the message was under way when its time ran out and may have been delivered; repeat it with the same idempotency key"
        case .notSent(let reason): "not sent: \(reason)"
        case .tooLarge(let bytes, let bytesMax): "\(Problem.tooLarge.code): the message has \(bytes) bytes, at most \(bytesMax) are taken"
        case .badRequest(let reason): "\(Problem.badRequest.code): \(reason)"
        case .tooManyWaiting: "\(Problem.overloaded.code): too many callers wait to send; try again later"
        case .closed: "the producer has been closed"
        }
    }

    /// How long to wait before sending it again, where a node said so.
    public var retryAfterMilliseconds: Int? {
        if case .refused(let problem, _) = self { return problem.retryAfterSeconds.map { $0 * 1_000 } }
        return nil
    }

    /// True when sending the same message again, with the same idempotency key, may help.
    public var isWorthARepeat: Bool {
        switch self {
        case .refused(let problem, _): problem.retryAfterSeconds != nil
        case .outcomeUnknown, .notSent, .tooManyWaiting: true
        case .tooLarge, .badRequest, .closed: false
        }
    }
}
