// What is said about who listens to a channel. It is added up as a tree, the way a message goes, backwards: an event loop counts its
// sockets, a node adds its loops up, the channel's owner its nodes. What the owner makes of it goes the other way, to nodes that ask.

/// What one user's sockets come to.
public struct PresenceCount: Hashable, Sendable {
    /// Sockets, and polls that wait.
    public var sockets: UInt32
    /// Between two polls: present though there is no socket.
    public var lingers: Bool

    /// Nobody, unless said.
    public init(sockets: UInt32 = 0, lingers: Bool = false) {
        self.sockets = sockets
        self.lingers = lingers
    }

    /// Whether the user is there.
    public var isPresent: Bool { sockets > 0 || lingers }
    /// What it adds to the number of subscribers: who is between two polls counts as one.
    public var subscribers: Int { sockets > 0 ? Int(sockets) : lingers ? 1 : 0 }
}

/// What a part of the tree says of its sockets. Values are absolute, so that a report which comes twice does no harm.
public struct PresenceReport: Hashable, Sendable {
    /// One user.
    public struct Listener: Hashable, Sendable {
        /// A user id.
        public let user: [UInt8]
        /// What the user's sockets come to now; nothing, when the user has gone.
        public let count: PresenceCount

        /// A user and what the user's sockets come to.
        public init(user: [UInt8], count: PresenceCount) {
            self.user = user
            self.count = count
        }
    }

    /// It replaces everything that was said before; otherwise it changes it.
    public let isWhole: Bool
    /// The sender wants to hear who comes and goes.
    public let wantsNews: Bool
    /// The sender wants to be told everybody, now.
    public let wantsList: Bool
    /// Sockets of nobody who is named: without a user, or beyond ``PresenceList/listedMax``.
    public let others: UInt32
    /// In the order of their bytes.
    public let listeners: [Listener]

    /// A report with all its parts.
    public init(isWhole: Bool, wantsNews: Bool = false, wantsList: Bool = false, others: UInt32, listeners: [Listener]) {
        self.isWhole = isWhole
        self.wantsNews = wantsNews
        self.wantsList = wantsList
        self.others = others
        self.listeners = listeners
    }
}

/// What the owner tells a node.
public struct PresenceNews: Hashable, Sendable {
    /// `joined` is everybody, and who is not in it has left.
    public let isWhole: Bool
    /// How many sockets listen on all nodes.
    public let subscribers: UInt32
    /// Who is there now.
    public let joined: [[UInt8]]
    /// Who is not there any more.
    public let left: [[UInt8]]

    /// News with all their parts.
    public init(isWhole: Bool, subscribers: UInt32, joined: [[UInt8]], left: [[UInt8]] = []) {
        self.isWhole = isWhole
        self.subscribers = subscribers
        self.joined = joined
        self.left = left
    }
}
