// How each limit of the one table is set and shown: its range, its place in the limits, and its default.
import RingpostCore

extension NodeLimits {
    private struct Row {
        let range: ClosedRange<Int>
        let get: @Sendable (NodeLimits) -> Int?
        let set: @Sendable (inout NodeLimits, Int) -> Void
    }

    /// Sets a limit.
    ///
    /// - Throws: ``NodeError`` when the value is out of the limit's range.
    public mutating func set(_ limit: Limit, to value: Int) throws(NodeError) {
        let row = Self.row(limit)
        guard row.range.contains(value) else {
            throw NodeError("limit \(limit.rawValue) takes a number from \(row.range.lowerBound) to \(row.range.upperBound), not \(value)")
        }
        row.set(&self, value)
    }

    /// Sets a limit that is given as `name=value`.
    ///
    /// - Throws: ``NodeError`` when there is no such limit, or the value is none.
    public mutating func set(_ text: String) throws(NodeError) {
        let parts = text.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, let limit = Limit(rawValue: String(parts[0])) else {
            throw NodeError("limit \"\(text)\" is not name=number; `ringpost limits` lists the names")
        }
        guard let value = Int(parts[1]) else { throw NodeError("limit \(limit.rawValue) takes a whole number, not \"\(parts[1])\"") }
        try set(limit, to: value)
    }

    /// What a limit may be set to.
    public static func range(of limit: Limit) -> ClosedRange<Int> { row(limit).range }

    /// A limit's value; `nil` where it depends on the machine or on other limits.
    public func value(of limit: Limit) -> Int? { Self.row(limit).get(self) }

    private static func row(_ limit: Limit) -> Row {
        switch limit {
        case .connections: optional(\.connectionsMax, 16...10_000_000)
        case .connectionsPerAddress: optional(\.connectionsPerAddressMax, 1...10_000_000)
        case .sockets: number(\.socketsMax, 1...10_000_000)
        case .socketsPerUser: number(\.socketsPerUserMax, 1...1_000_000)
        case .socketsPerAddress: number(\.socketsPerAddressMax, 1...10_000_000)
        case .connectRate: optional(\.connectionsPerSecond, 1...1_000_000)
        case .connectBurst: optional(\.connectionsBurst, 1...10_000_000)
        case .connectRatePerAddress: number(\.connectionsPerAddressPerSecond, 1...1_000_000)
        case .memoryMegabytes:
            Row(
                range: 32...16_777_216, get: { $0.memoryBytesMax.map { $0 / 1_048_576 } },
                set: { $0.memoryBytesMax = $1 * 1_048_576 })
        case .headBytes: number(\.headBytesMax, 1_024...65_535)
        case .headers: number(\.headerCountMax, 8...1_000)
        case .headSeconds: seconds(\.headMilliseconds)
        case .requestSeconds: seconds(\.requestMilliseconds)
        case .payloadBytes: number(\.payloadBytesMax, 1...1_048_576)
        case .batchBytes: number(\.batchBytesMax, 1_024...67_108_864)
        case .bodyBytes: number(\.bodyBytesMax, 65_536...1_073_741_824)
        case .batchMessages: number(\.batchMessagesMax, 1...100_000)
        case .pipelined: number(\.pipelinedMax, 1...65_536)
        case .tokenSeconds: seconds(\.tokenMilliseconds)
        case .clientFrames: number(\.clientFramesPerSecond, 1...1_000_000)
        case .clientBytes: number(\.clientBytesPerSecond, 1_024...1_073_741_824)
        case .clientPublishes: number(\.clientPublishesPerSecond, 1...1_000_000)
        case .socketChannels: number(\.socketChannelsMax, 1...255)
        case .streamChannels: number(\.streamChannelsMax, 1...32)
        case .channelSubscribers: number(\.channelListenersMax, 1...1_000_000)
        case .socketBytes: number(\.socketBytesMax, 65_536...1_073_741_824)
        case .clientNames: number(\.mailbox.clientNamesMax, 1...100_000_000)
        case .keyNames: number(\.mailbox.keyNamesMax, 1...100_000_000)
        case .userRate: number(\.mailbox.userMessagesPerSecond, 1...1_000_000)
        case .channelRate: number(\.mailbox.channelMessagesPerSecond, 1...1_000_000)
        case .keyRate: number(\.keyMessagesPerSecond, 1...10_000_000)
        case .historyRate: number(\.historyKilobytesPerSecond, 16...1_048_576)
        case .historyMessages: number(\.mailbox.historyMessagesMax, 0...MailboxLimits.historyMessagesMost.store)
        case .historyBytes: number(\.mailbox.historyBytesMax, 1_024...MailboxLimits.historyBytesMost.store)
        case .historySeconds:
            Row(
                range: 0...Namespace.secondsMax, get: { Int(($0.mailbox.historyMilliseconds ?? 0) / 1_000) },
                set: { $0.mailbox.historyMilliseconds = $1 == 0 ? nil : Int64($1) * 1_000 })
        case .dataMegabytes:
            Row(
                range: 64...16_777_216, get: { $0.mailbox.storedBytesMax / 1_048_576 }, set: { $0.mailbox.storedBytesMax = $1 * 1_048_576 })
        }
    }

    private static func number(_ path: WritableKeyPath<NodeLimits, Int> & Sendable, _ range: ClosedRange<Int>) -> Row {
        Row(range: range, get: { $0[keyPath: path] }, set: { $0[keyPath: path] = $1 })
    }

    private static func optional(_ path: WritableKeyPath<NodeLimits, Int?> & Sendable, _ range: ClosedRange<Int>) -> Row {
        Row(range: range, get: { $0[keyPath: path] }, set: { $0[keyPath: path] = $1 })
    }

    private static func seconds(_ path: WritableKeyPath<NodeLimits, Int64> & Sendable) -> Row {
        Row(range: 1...3_600, get: { Int($0[keyPath: path] / 1_000) }, set: { $0[keyPath: path] = Int64($1) * 1_000 })
    }
}
