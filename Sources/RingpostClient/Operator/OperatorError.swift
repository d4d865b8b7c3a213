// Why an operator's question has no answer.
import RingpostCore

/// What went wrong with a question to a node's API.
public enum OperatorError: Error, Equatable, Sendable, CustomStringConvertible {
    /// Nobody answers at any of the addresses; the reasons stand in the same order.
    case unreachable([String])
    /// A node answered with an error: HTTP status, code and message.
    case refused(status: Int, code: String, message: String)
    /// What was ordered has not come to its end; a sentence says why.
    case unfinished(String)
    /// What came back is not what a node says.
    case unreadable(String)

    /// A sentence that says what to do.
    public var description: String {
        switch self {
        case .unreachable(let reasons): reasons.joined(separator: "\n")
        case .refused(let status, let code, let message): "\(code) (HTTP \(status)): \(message)"
        case .unfinished(let sentence): sentence
        case .unreadable(let reason): "the answer can't be read: \(reason); is it a Ringpost node of this version?"
        }
    }
}

/// The error document that every port answers with: `{"error":{"code":"…","message":"…"}}`, sometimes with when to come back
/// and where to: `"retryAfterMilliseconds":1200,"at":"host:port"`.
package struct ErrorDocument: Decodable, Equatable, Sendable {
    /// The inner object.
    package struct Content: Decodable, Equatable, Sendable {
        package let code: String
        package let message: String
        package let retryAfterMilliseconds: Int?
        package let at: String?
    }

    package let error: Content
}
