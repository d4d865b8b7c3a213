// Why something that stands in ZooKeeper can't be used. Whoever reads it in a log has to find the znode, so it is named.

/// A znode whose content is not what a node expects there.
public struct DocumentError: Error, Equatable, Sendable {
    /// The znode's full path.
    public let znode: String
    /// What is wrong with it, as the end of a sentence that begins with the path.
    public let reason: String

    /// - Parameters:
    ///   - znode: the full path.
    ///   - reason: what is wrong with its content.
    public init(znode: String, reason: String) {
        self.znode = znode
        self.reason = reason
    }

    /// A sentence for an operator.
    public var message: String { "\(znode) \(reason)" }
}
