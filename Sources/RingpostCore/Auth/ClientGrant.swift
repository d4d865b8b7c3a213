// What a client may do and for how long: what a verified token says, or what a node that asks nobody for a token gives to all.
import HashRing

/// A client's rights.
public struct ClientGrant: Hashable, Sendable {
    /// As whom the client listens; `nil` where clients say themselves who they are.
    public let user: [UInt8]?
    /// Channels that it may listen to.
    public let subscribe: NamePatterns
    /// Channels whose listeners it may see come and go.
    public let presence: NamePatterns
    /// Channels that it may publish to.
    public let publish: NamePatterns
    /// Users that it may publish to.
    public let publishUsers: NamePatterns
    /// Channels whose messages it may page through.
    public let history: NamePatterns
    /// Users whose messages it may page through.
    public let historyUsers: NamePatterns
    /// When it ends, in seconds since 1970; `nil` for never.
    public let expires: Int64?
    /// When the token was made, in seconds since 1970, if it says so.
    public let issuedAt: Int64?
    /// Which token it is (`jti`), if it has a name.
    public let tokenID: String?
    /// The key that the token was signed with; `nil` where no token is asked for.
    public var signer: TokenSigner?

    /// All of it.
    public init(
        user: [UInt8]?, subscribe: NamePatterns, presence: NamePatterns, publish: NamePatterns, publishUsers: NamePatterns,
        history: NamePatterns = .none, historyUsers: NamePatterns = .none, expires: Int64?, issuedAt: Int64? = nil, tokenID: String? = nil
    ) {
        self.user = user
        self.subscribe = subscribe
        self.presence = presence
        self.publish = publish
        self.publishUsers = publishUsers
        self.history = history
        self.historyUsers = historyUsers
        self.expires = expires
        self.issuedAt = issuedAt
        self.tokenID = tokenID
    }

    /// Everybody's, on a node that asks for no token.
    ///
    /// - Parameters:
    ///   - publish: channels that the node has opened to all.
    ///   - publishUsers: users that it has.
    public static func open(publish: NamePatterns, publishUsers: NamePatterns) -> ClientGrant {
        ClientGrant(
            user: nil, subscribe: .all, presence: .all, publish: publish, publishUsers: publishUsers, history: .all, historyUsers: .all,
            expires: nil)
    }

    /// Whether the client may publish to the key.
    public func allowsPublish(to key: Key) -> Bool {
        switch key.kind {
        case .user: publishUsers.matches(key.name)
        case .channel: publish.matches(key.name)
        }
    }

    /// Whether the client may listen to the key.
    public func allowsSubscribe(to key: Key) -> Bool {
        switch key.kind {
        case .user: user == nil || user == key.name
        case .channel: subscribe.matches(key.name)
        }
    }

    /// Whether the client may page through the key's messages.
    public func allowsHistory(of key: Key) -> Bool {
        switch key.kind {
        case .user: historyUsers.matches(key.name)
        case .channel: history.matches(key.name)
        }
    }

    // MARK: Where the name's namespace has a say

    /// Whether it is a token's. Where nobody is asked for one, nobody has been granted anything.
    private var isFromToken: Bool { user != nil }

    /// Whether the client may publish to the key.
    public func allowsPublish(to key: Key, in namespaces: NamespaceTable) -> Bool {
        allows(namespaces[key]?.publish, isGranted: allowsPublish(to: key))
    }

    /// Whether the client may listen to the key.
    public func allowsSubscribe(to key: Key, in namespaces: NamespaceTable) -> Bool {
        allows(namespaces[key]?.subscribe, isGranted: allowsSubscribe(to: key))
    }

    /// Whether the client may see who listens to a channel.
    public func allowsPresence(of key: Key, in namespaces: NamespaceTable) -> Bool {
        presence.matches(key.name) && namespaces[key]?.allowsPresence != false
    }

    private func allows(_ audience: Namespace.Audience?, isGranted: Bool) -> Bool {
        switch audience {
        case nil: isGranted
        case .nobody: isFromToken && isGranted
        case .tokens: isFromToken
        case .anybody: true
        }
    }

    /// Whether the time is over.
    public func isOver(nowSeconds: Int64) -> Bool { expires.map { nowSeconds >= $0 } ?? false }
}
