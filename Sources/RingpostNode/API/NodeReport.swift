// What a node says of itself to operators, and what the node that was asked makes of everybody's reports.
import RingpostCore

/// One node's own part, as it travels on links.
struct NodeReport: Codable, Sendable {
    struct Sockets: Codable, Sendable {
        var ws: Int
        var sse: Int
        var poll: Int
    }

    struct Messages: Codable, Sendable {
        var published: UInt64
        var forwarded: UInt64
        var delivered: UInt64
    }

    let epoch: UInt64
    let digest: String
    let lease: String
    let ageMilliseconds: Int64
    let uptimeSeconds: Int64
    let loops: Int
    let users: Int
    let historyBytes: Int
    let sockets: Sockets
    let messages: Messages
    let parked: Int
    let draining: DrainReport?
    let version: String
}

/// What a node knows of one key, as it travels on links.
struct KeyReport: Codable, Sendable {
    struct Socket: Codable, Sendable {
        let edge: String
        let transport: String
        let remote: String
        let connectedSeconds: Int64
        let cursor: String?
    }

    struct History: Codable, Sendable {
        let messages: Int
        let bytes: Int
    }

    var sockets: [Socket]
    /// Set by the node that holds the mailbox.
    var cursor: String?
    var history: History?
    /// Milliseconds since 1970: since when somebody is there, between two polls too; and when somebody last was, as the owner knows it.
    var since: Int64?
    var lastSeen: Int64?
}

/// What a channel's owner knows of it, as it travels on links.
struct ChannelReport: Codable, Sendable {
    struct User: Codable, Sendable {
        let user: String
        let sockets: Int
    }

    struct Node: Codable, Sendable {
        let node: String
        let subscribers: Int
    }

    /// False where the one who was asked is not the owner.
    var isOwner = false
    var cursor: String?
    var history: KeyReport.History?
    var subscribers = 0
    var users: [User] = []
    var nodes: [Node] = []
    var complete = true
}

/// `GET /v1/channels/{channel}`.
struct ChannelAnswer: Encodable {
    let channel: String
    let hash: String
    let slot: Int
    let epoch: UInt64
    let owner: String
    let next: [String]
    let cursor: String?
    let history: KeyReport.History?
    let subscribers: Int
    let users: [ChannelReport.User]
    let nodes: [ChannelReport.Node]
    let complete: Bool
}

/// `GET /v1/ring`.
struct RingAnswer: Encodable {
    let cluster: String
    let generation: String
    let epoch: UInt64
    let epochAgeMilliseconds: Int64
    let digest: String
    let slots: Int
    let answeredBy: String
    let nodes: [NodeEntry]
}

/// `GET /v1/nodes`.
struct NodesAnswer: Encodable {
    let nodes: [NodeEntry]
}

/// One member, with its report if it answered.
struct NodeEntry: Encodable {
    let member: Member
    let slots: Int
    let report: NodeReport?

    enum CodingKeys: String, CodingKey {
        case slots, answered
    }

    func encode(to encoder: any Encoder) throws {
        try member.encode(to: encoder)
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(slots, forKey: .slots)
        try values.encode(report != nil, forKey: .answered)
        try report?.encode(to: encoder)
    }
}

/// `GET /v1/users/{user}`.
struct UserAnswer: Encodable {
    let user: String
    let hash: String
    let slot: Int
    let epoch: UInt64
    let owner: String
    let next: [String]
    let cursor: String?
    let history: KeyReport.History?
    let online: Bool
    let since: Int64?
    let lastSeen: Int64?
    let sockets: [KeyReport.Socket]
    let unanswered: [String]
}
