// What nodes say to each other over links when an operator has asked one of them, and what that one makes of it.
import RingpostCore
import RingpostWire

/// One node's own part of a ``NodeReport``.
struct NodeStatus: Codable, Sendable {
    let epoch: UInt64
    let digest: String
    let lease: String
    let ageMilliseconds: Int64
    let uptimeSeconds: Int64
    let loops: Int
    let users: Int
    let historyBytes: Int
    /// About how many bytes of histories only the node's store has; `nil` where there is none, and of older nodes.
    let olderBytes: Int?
    let sockets: NodeReport.Sockets
    let messages: NodeReport.Messages
    let parked: Int
    let draining: NodeReport.Draining?
    /// Slots that nobody serves; `nil` when there are none, and of older nodes.
    let waiting: NodeReport.Waiting?
    /// What is wrong; `nil` of older nodes.
    let alarms: [String]?
    /// The digest of the namespaces; `nil` where there are none.
    let namespaces: String?
    let version: String
}

extension NodeReport {
    /// - Parameter status: `nil` where the member did not answer.
    init(_ member: Member, slots: Int, status: NodeStatus?) {
        self.init(
            id: member.id, boot: member.boot.hexadecimal, client: member.client, api: member.api, link: member.link,
            protocol: member.protocolVersion, weight: member.weight, zone: member.zone, disk: member.disk?.rawValue, slots: slots,
            answered: status != nil, epoch: status?.epoch, digest: status?.digest, users: status?.users, sockets: status?.sockets,
            lease: status?.lease,
            ageMilliseconds: status?.ageMilliseconds, uptimeSeconds: status?.uptimeSeconds, loops: status?.loops,
            historyBytes: status?.historyBytes, olderBytes: status?.olderBytes, parked: status?.parked, draining: status?.draining,
            waiting: status?.waiting, alarms: status?.alarms, namespaces: status?.namespaces,
            version: status?.version,
            messages: status?.messages)
    }
}

extension NodeReport.Draining {
    init(_ progress: DrainMachine.Progress, now: Int64) {
        self.init(
            phase: progress.phase.rawValue, cause: progress.cause.rawValue, slots: progress.look?.slots, copies: progress.look?.copies,
            sockets: progress.look?.sockets, seconds: Int((now - progress.since) / 1_000))
    }
}

/// What a node knows of one user.
struct KeyStatus: Codable, Sendable {
    var sockets: [UserReport.Socket]
    /// Set by the node that holds the mailbox.
    var cursor: String?
    var history: UserReport.History?
    /// Milliseconds since 1970: since when somebody is there, between two polls too; and when somebody last was, as the owner knows it.
    var since: Int64?
    var lastSeen: Int64?
    /// Set where the mailbox is left out, because it is not in the node's store yet as it is.
    var waiting: Bool?

    /// Without what may not be in the node's store.
    var withoutMailbox: KeyStatus { KeyStatus(sockets: sockets, cursor: nil, history: nil, since: since, waiting: true) }
}

extension [KeyStatus] {
    /// All that several shards or nodes know of one user.
    var merged: KeyStatus {
        KeyStatus(
            sockets: flatMap(\.sockets), cursor: lazy.compactMap(\.cursor).first, history: lazy.compactMap(\.history).first,
            since: lazy.compactMap(\.since).min(), lastSeen: lazy.compactMap(\.lastSeen).max(), waiting: lazy.compactMap(\.waiting).first)
    }
}

/// What a channel's owner knows of it.
struct ChannelStatus: Codable, Sendable {
    /// False where the one who was asked is not the owner.
    var isOwner = false
    var cursor: String?
    var history: UserReport.History?
    var subscribers = 0
    var users: [ChannelReport.User] = []
    var nodes: [ChannelReport.Node] = []
    var complete = true
    /// As ``KeyStatus/waiting``.
    var waiting: Bool?

    /// Without what may not be in the node's store.
    var withoutMailbox: ChannelStatus {
        var status = self
        (status.cursor, status.history, status.waiting) = (nil, nil, true)
        return status
    }
}
