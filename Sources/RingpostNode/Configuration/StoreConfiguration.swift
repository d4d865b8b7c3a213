// Where a node keeps its copies for longer than its process lives.
import RingpostCore

/// A node's data directory.
public struct StoreConfiguration: Hashable, Sendable {
    /// The directory; it is made if the one above it is there.
    public var path: String
    /// What has to be done with a message before anybody is told that it is kept.
    public var durability: StoreDurability

    /// A directory.
    public init(path: String, durability: StoreDurability = .fsync) {
        self.path = path
        self.durability = durability
    }

    /// Where revocations are kept without ZooKeeper, unless the operator names another file.
    var revocationsFile: String { "\(path)/revocations.json" }
}
