// The children of /members as they were read, before anything has been made of them: whether the list may become an epoch is
// decided by the membership machine.

/// One reading of the member list: the list itself is atomic, the contents were read one by one afterwards.
public struct MemberList: Equatable, Sendable {
    /// One child.
    public struct Entry: Equatable, Sendable {
        /// The child's name.
        public let name: String
        /// What was found when it was read.
        public let content: Content

        /// A child and what was found in it.
        public init(name: String, content: Content) {
            self.name = name
            self.content = content
        }
    }

    /// A child's content.
    public enum Content: Equatable, Sendable {
        /// Its data and the transaction that created it.
        case data([UInt8], createdBy: UInt64)
        /// It had gone when it was read.
        case gone
    }

    /// The `pzxid` that came with the list.
    public let epoch: UInt64
    /// The children, in any order.
    public let entries: [Entry]

    /// A list as it was read.
    public init(epoch: UInt64, entries: [Entry]) {
        self.epoch = epoch
        self.entries = entries
    }
}
