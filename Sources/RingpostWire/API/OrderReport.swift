// Orders about who may be connected and about nodes, and the answers to them, as node and clients have them.

/// The answer to `POST /v1/users/{user}/disconnect`.
public struct DisconnectReport: Codable, Equatable, Sendable {
    /// The user's id.
    public let user: String
    /// Sockets that were closed, and polls that were ended, on all nodes that answered.
    public let sockets: Int
    /// Nodes that did not answer; the user may still have sockets there.
    public let unanswered: [String]?

    /// What a node answers.
    public init(user: String, sockets: Int, unanswered: [String]? = nil) {
        self.user = user
        self.sockets = sockets
        self.unanswered = unanswered
    }
}

/// Tokens with which no node lets anybody in.
public struct RevocationReport: Codable, Equatable, Sendable {
    /// The user's id; `nil` if no user in particular is meant.
    public let user: String?
    /// The one token (`jti`) that is meant; `nil` for all of the user that were made until now.
    public let token: String?
    /// The key that has signed the tokens.
    public let key: String?
    /// All tokens that were issued in this second or before, in seconds since 1970; `nil` if that was not the order.
    public let issuedBefore: Int64?
    /// When it is forgotten, in seconds since 1970: then the tokens have expired by themselves.
    public let until: Int64
    /// What else the operator should know.
    public let note: String?

    /// What a node answers.
    public init(
        user: String?, token: String? = nil, key: String? = nil, issuedBefore: Int64? = nil, until: Int64, note: String? = nil
    ) {
        self.user = user
        self.token = token
        self.key = key
        self.issuedBefore = issuedBefore
        self.until = until
        self.note = note
    }
}

/// The answer to `GET /v1/revocations`.
public struct RevocationsReport: Codable, Equatable, Sendable {
    /// All that hold.
    public let revocations: [RevocationReport]

    /// What a node answers.
    public init(revocations: [RevocationReport]) {
        self.revocations = revocations
    }
}

/// The body of `POST /v1/users/{user}/disconnect`, which may be missing.
public struct DisconnectOrder: Codable, Equatable, Sendable {
    /// The user's clients are told to come back, instead of to stay away.
    public let resume: Bool?

    /// What an operator sends.
    public init(resume: Bool? = nil) {
        self.resume = resume
    }
}

/// The body of `POST /v1/revocations`.
public struct RevocationOrder: Codable, Equatable, Sendable {
    /// The user's id; `nil` if no user in particular is meant.
    public let user: String?
    /// Only this token (its `jti`).
    public let token: String?
    /// When the token expires by itself, in seconds since 1970.
    public let expires: Int64?
    /// Without a user: all tokens that the key of this id has signed.
    public let key: String?
    /// Without a user: all tokens, or all of the key, that were issued in this second or before, in seconds since 1970.
    public let issuedBefore: Int64?

    /// What an operator sends.
    public init(
        user: String? = nil, token: String? = nil, expires: Int64? = nil, key: String? = nil, issuedBefore: Int64? = nil
    ) {
        self.user = user
        self.token = token
        self.expires = expires
        self.key = key
        self.issuedBefore = issuedBefore
    }
}

/// The body of `POST /v1/nodes/{node}/weight`.
public struct WeightOrder: Codable, Equatable, Sendable {
    /// The node's share of the ring.
    public let weight: UInt16

    /// What an operator sends.
    public init(weight: UInt16) {
        self.weight = weight
    }
}

/// The answer to an order to a node: the order has been taken, not carried out.
public struct OrderReport: Codable, Equatable, Sendable {
    /// The node's id.
    public let node: String
    /// Its share of the ring, if that was the order.
    public let weight: UInt16?

    /// What a node answers.
    public init(node: String, weight: UInt16? = nil) {
        self.node = node
        self.weight = weight
    }
}
