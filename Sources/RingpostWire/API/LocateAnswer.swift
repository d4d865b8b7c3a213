// `GET /v1/locate` on the client port, as node and clients have it.

/// Where a user's owner is.
public struct LocateAnswer: Codable, Equatable, Sendable {
    /// The node that owns the user.
    public struct Owner: Codable, Equatable, Sendable {
        /// Its id.
        public let id: String
        /// "host:port" for clients.
        public let client: String
        /// "host:port" for producers and operators; told only where nobody is asked for a token.
        public let api: String?

        /// A member, by what it announces.
        public init(id: String, client: String, api: String?) {
            (self.id, self.client, self.api) = (id, client, api)
        }
    }

    /// The user's id.
    public let user: String
    /// The slot of the user's hash.
    public let slot: Int
    /// Who owns the slot.
    public let owner: Owner
    /// Whether that is the node that answers.
    public let isSelf: Bool

    enum CodingKeys: String, CodingKey {
        case user, slot, owner
        case isSelf = "self"
    }

    /// The answer for one user.
    public init(user: String, slot: Int, owner: Owner, isSelf: Bool) {
        (self.user, self.slot, self.owner, self.isSelf) = (user, slot, owner, isSelf)
    }
}
