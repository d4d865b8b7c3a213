// One loop's state at a moment, for reports and metrics.
import NIOCore
import RingpostCore
import RingpostWire

struct ShardSnapshot: Sendable {
    var counters = ShardCounters()
    var mailboxes = 0
    var historyBytes = 0
    /// Of histories what only the node's store has, and what has come of requests for it.
    var olderBytes = 0
    var olderReads = OlderCounts()
    var attachments = 0
    /// Channels of this loop's slots that sockets of the node listen to, and this loop's sockets that listen to any.
    var channels = 0
    var channelListeners = 0
    var parked = 0
    var inFlight = 0
    var windowKeys = 0
    var evicted: UInt64 = 0
    var forwarded: UInt64 = 0
    var retried: UInt64 = 0
    /// Slots owned, and of these those whose mirror has not confirmed; slots that wait for their history; copies of others'.
    var owned = 0
    var unmirrored = 0
    var inheriting = 0
    var copiesHeld = 0
    var uncommitted = 0
    var linksUp = 0
    var linksDown = 0
    var linkBytes = 0
    /// Sessions of sockets and polls, and bytes that wait for clients.
    var subscriptions = 0
    var socketBytes = 0
    var grants = 0

    static func += (one: inout ShardSnapshot, other: ShardSnapshot) {
        one.counters += other.counters
        for path: WritableKeyPath<ShardSnapshot, Int> in [
            \.mailboxes, \.historyBytes, \.olderBytes, \.attachments, \.channels, \.channelListeners, \.parked, \.inFlight, \.windowKeys,
            \.linksUp,
            \.linksDown,
            \.linkBytes, \.subscriptions, \.socketBytes, \.grants, \.owned, \.unmirrored, \.inheriting, \.copiesHeld, \.uncommitted,
        ] { one[keyPath: path] += other[keyPath: path] }
        one.evicted += other.evicted
        one.olderReads += other.olderReads
        one.forwarded += other.forwarded
        one.retried += other.retried
    }
}

extension Shard {
    /// - Parameter countsSlots: looks at every slot, which takes a loop half a millisecond.
    func snapshot(countsSlots: Bool) -> ShardSnapshot {
        var snapshot = ShardSnapshot()
        snapshot.counters = counters
        snapshot.counters.add(machine.tooFastForUsers, to: .userRate)
        snapshot.counters.add(machine.tooFastForChannels, to: .channelRate)
        snapshot.counters.add(machine.tooManyNamesOfClients, to: .clientNames)
        snapshot.counters.add(machine.tooManyNamesOfKeys, to: .keyNames)
        snapshot.counters.add(machine.shedCount, to: .dataMegabytes)
        snapshot.counters.add(machine.channelsRefused, to: NamespaceRefusal.channels)
        snapshot.counters.add(machine.tooFastForNamespaces, to: NamespaceRefusal.rate)
        snapshot.mailboxes = machine.mailboxCount
        snapshot.historyBytes = machine.historyBytes
        snapshot.olderBytes = machine.olderBytes
        snapshot.olderReads = machine.olderReadCounts
        snapshot.attachments = machine.attachmentCount
        snapshot.channels = channels.nodeCount
        snapshot.channelListeners = channels.listenerCount
        snapshot.parked = machine.parkedCount
        snapshot.inFlight = machine.inFlightCount
        snapshot.windowKeys = machine.windowCount
        snapshot.evicted = machine.evictedCount
        snapshot.forwarded = machine.forwardedCount
        snapshot.retried = machine.retriedCount
        let slots = countsSlots ? machine.slotCounts : SlotCounts()
        snapshot.owned = slots.owned
        snapshot.unmirrored = slots.unmirrored
        snapshot.copiesHeld = slots.copies
        snapshot.inheriting = machine.inheritingCount
        snapshot.uncommitted = machine.uncommittedCount
        for link in links.allDialled {
            if link.isUp { snapshot.linksUp += 1 } else { snapshot.linksDown += 1 }
            snapshot.linkBytes += link.pendingBytes
        }
        snapshot.subscriptions = subscriptions.count
        snapshot.grants = tokenGate.grantCount
        if countsSlots {
            snapshot.socketBytes = runtime.allConnections.reduce(0) { $0 + ($1.kind == .client || $1.kind == .http ? $1.pendingBytes : 0) }
        }
        for server in links.allAccepted { snapshot.linkBytes += server.pendingBytes }
        return snapshot
    }

    /// What this loop knows of a key: sockets that it holds, and the mailbox if it is here.
    func report(on key: Key) -> KeyStatus {
        let now = Moment.now().monotonic
        var report = KeyStatus(sockets: [], cursor: nil, history: nil)
        for number in subscriptions.numbers {
            guard let subscription = subscriptions[number], subscription.key == key, let transport = subscription.transportKind else {
                continue
            }
            report.sockets.append(
                UserReport.Socket(
                    edge: context.configuration.id, transport: transport.rawValue, remote: subscription.remote,
                    connectedSeconds: (now - subscription.since) / 1_000, cursor: subscription.cursor?.text))
        }
        let poller = subscriptions.pollers.since(key, now: now)
        let subscriptions = subscriptions.numbers.compactMap { self.subscriptions[$0] }.filter { $0.key == key && $0.transportKind != nil }
        let wall = Moment.now().wall
        report.since = (subscriptions.map(\.since) + [poller].compactMap { $0 }).min().map { wall - (now - $0) }
        if let summary = machine.summary(of: key) {
            report.cursor = summary.cursor.text
            report.history = UserReport.History(messages: summary.historyMessages, bytes: summary.historyBytes)
            if summary.lastSeen > 0, machine.isServing(key) { report.lastSeen = summary.lastSeen }
        }
        return report
    }

    /// What this loop knows of a channel of its slots, as its owner.
    func channelReport(on key: Key) -> ChannelStatus {
        var report = ChannelStatus(isOwner: machine.isServing(key))
        guard report.isOwner else { return report }
        if let summary = machine.summary(of: key) {
            report.cursor = summary.cursor.text
            report.history = UserReport.History(messages: summary.historyMessages, bytes: summary.historyBytes)
        }
        if let presence = machine.presence(of: key) {
            report.subscribers = presence.subscribers
            report.users = presence.users.map { .init(user: String(decoding: $0.user, as: UTF8.self), sockets: $0.sockets) }
            report.nodes = presence.nodes.sorted { $0.key < $1.key }.map { .init(node: $0.key, subscribers: $0.value) }
            report.complete = presence.isComplete
        }
        return report
    }
}

// MARK: - Where the node has a store

extension Shard {
    /// What this loop knows of a key. A mailbox is shown when it is in the node's store as it is shown: what an operator has seen is there
    /// after any end of the process. If that takes too long, it is left out.
    func storedReport(on key: Key) -> EventLoopFuture<KeyStatus> {
        let report = report(on: key)
        return whenStored(report.cursor == nil ? nil : report.withoutMailbox, report)
    }

    /// What this loop knows of a channel of its slots, as its owner; of its mailbox as ``storedReport(on:)``.
    func storedChannelReport(on key: Key) -> EventLoopFuture<ChannelStatus> {
        let report = channelReport(on: key)
        return whenStored(report.cursor == nil ? nil : report.withoutMailbox, report)
    }

    /// - Parameter other: what there is when `value` does not get into the store in time; `nil` if it has nothing that must be there.
    private func whenStored<Value: Sendable>(_ other: Value?, _ value: Value) -> EventLoopFuture<Value> {
        guard let other, let store = shell.store else { return eventLoop.makeSucceededFuture(value) }
        let promise = eventLoop.makePromise(of: Value.self)
        store.whenStored(now: Moment.now().monotonic) { promise.succeed($0 ? value : other) }
        return promise.futureResult
    }
}
