// Why a node can't start or go on.

/// Why a node can't start or go on, as a sentence for whoever started it.
public struct NodeError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The sentence.
    public let description: String
    /// A sentence that says what to do.
    public init(_ description: String) { self.description = description }
}
