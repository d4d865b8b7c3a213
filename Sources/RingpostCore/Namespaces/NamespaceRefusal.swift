// What a namespace's rules refuse, how that is counted, and what is said to whoever is refused.

/// Why a namespace has refused something.
public enum NamespaceRefusal: String, Sendable, CaseIterable {
    /// A payload was too large.
    case payload
    /// Messages came too fast on one channel.
    case rate
    /// A new channel, where there are as many as may be.
    case channels
    /// One more socket on a channel.
    case subscribers
    /// A client that may not publish, listen or see who is there.
    case publish, subscribe, presence
}

extension Namespace {
    /// For whom may not do something that the namespace has rules for.
    public func sentence(_ refusal: NamespaceRefusal) -> String {
        switch refusal {
        case .presence: "the namespace \"\(text)\" shows nobody who is there"
        default: "the namespace \"\(text)\" lets only those \(refusal == .publish ? "publish" : "listen") whose token grants it"
        }
    }
}

extension NamespaceTable {
    /// A problem with a key, with the sentence of its namespace where that is what stands in the way.
    public func report(_ problem: Problem, _ key: Key) -> ProblemReport {
        guard let namespace = self[key] else { return ProblemReport(problem) }
        let name = "the namespace \"\(namespace.text)\""
        switch problem {
        case .tooFast:
            guard let rate = namespace.messagesPerSecond else { break }
            return ProblemReport(problem, "\(name) takes at most \(rate) messages a second on one channel; slow down")
        case .channelFull:
            guard namespace.subscribers != nil else { break }
            return ProblemReport(
                problem, "as many sockets listen to this channel here as \(name) lets; connect to another node")
        case .overloaded:
            guard namespace.channels != nil else { break }
            return ProblemReport(
                problem, "too much waits already, or \(name) has as many channels as it may; try again later")
        default: break
        }
        return ProblemReport(problem)
    }
}
