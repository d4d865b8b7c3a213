// The judge of a torture run: what was sent, what was acknowledged, what came to each listener, and what is wrong with it. A value that is
// told what happened and when; it knows no node and no clock.
//
// A user's messages are sent one after the other, each after the receipt of the one before; so every listener of the user must get them
// in the order in which they were sent.

import RingpostCore

/// Holds every message of a run against what the listeners of its user got. All times are microseconds of one clock.
struct Judge: Sendable {
    /// What is said in words about the first violations of each kind in each window; the rest is only counted.
    static let incidentsMax = 3
    /// What was acknowledged so shortly before a fault and is lost was lost by the fault.
    static let recentMicroseconds: Int64 = 1_000_000

    /// What the end of a socket means.
    enum SocketEnd: Sendable {
        /// Its node stayed: this must not happen.
        case violation
        /// The fault took its node.
        case moved
        /// A node that the fault cut off told it to resume elsewhere.
        case resumed
    }

    private enum Kind {
        case unknown, refused, gap, stranger, disconnect, voice, hole, duplicate, disorder
    }

    private struct Message {
        let sentAt: Int64
        var acknowledgedAt: Int64?
        var sequence: UInt64 = 0
        /// Where the first socket saw it.
        var position: Cursor?
        /// The window of its receipt.
        var window = 0
    }

    private struct User {
        var messages: [Message] = []
        /// By place, the message that sockets saw there.
        var byPosition: [Cursor: Int] = [:]
        var incarnations: Set<UInt64> = []
        /// The window in which the last mirrored receipt came, and when its message was sent.
        var mirroredSentAt: Int64 = -1
    }

    private struct Listener {
        let user: Int
        /// Messages from this one on must come: it was sent when the listener was attached already.
        var first: Int?
        var position: Cursor?
        /// One more than the number of the latest message that came.
        var after = 0
        var received: [Bool] = []
        /// All messages below it have come, need not come, or have been given up.
        var floor = 0
    }

    private var users: [User]
    private var listeners: [Listener]
    /// What happened in each window.
    private(set) var windows: [Tally] = [Tally()]
    /// The first violations, in words.
    private(set) var incidents: [String] = []
    private var notes: [Kind: Int] = [:]
    private var current = 0

    /// - Parameter listeners: by listener, the number of its user.
    init(userCount: Int, listeners: [Int]) {
        users = Array(repeating: User(), count: userCount)
        self.listeners = listeners.map { Listener(user: $0) }
    }

    /// What happens from now on belongs to a new window; so does the loss of what was acknowledged just before.
    mutating func openWindow(at now: Int64) {
        windows.append(Tally())
        current = windows.count - 1
        notes = [:]
        for user in users.indices {
            for number in users[user].messages.indices.reversed() {
                guard let acknowledgedAt = users[user].messages[number].acknowledgedAt else { continue }
                if acknowledgedAt < now - Self.recentMicroseconds { break }
                users[user].messages[number].window = current
            }
        }
    }

    // MARK: What producers see

    /// A message is about to leave.
    ///
    /// - Returns: its number in its user's order.
    mutating func onSend(user: Int, at now: Int64) -> Int {
        users[user].messages.append(Message(sentAt: now))
        return users[user].messages.count - 1
    }

    /// A message has its receipt.
    ///
    /// - Parameter isMoved: an attempt of it went to a node that the fault took.
    mutating func onReceipt(user: Int, number: Int, sequence: UInt64, isMirrored: Bool, isMoved: Bool, at now: Int64) {
        users[user].messages[number].acknowledgedAt = now
        users[user].messages[number].sequence = sequence
        users[user].messages[number].window = current
        let message = users[user].messages[number]
        if isMirrored { users[user].mirroredSentAt = message.sentAt }
        windows[current].acknowledged += 1
        let wait = Tally.Waits(receipt: now - message.sentAt)
        if isMoved { windows[current].movedWaits.merge(wait) } else { windows[current].waits.merge(wait) }
        if let position = message.position, position.sequence != sequence { disagree(user, number) }
    }

    /// A message got no receipt in its time, and is not sent again.
    mutating func onUnknown(user: Int, number: Int) {
        windows[current].unknown += 1
        note(.unknown, "message \(number) of user \(user) has no receipt, and nobody knows whether it was appended")
    }

    /// A node refused a message for good.
    mutating func onRefused(user: Int, number: Int, _ reason: String) {
        windows[current].refused += 1
        note(.refused, "message \(number) of user \(user) was refused: \(reason)")
    }

    // MARK: What listeners see

    /// A listener learns where it stands. Only the first time counts: later ones must not explain a hole away.
    mutating func onAttached(_ listener: Int, _ position: Cursor) {
        guard listeners[listener].position == nil else { return }
        let user = listeners[listener].user
        listeners[listener].position = position
        listeners[listener].first = users[user].messages.count
        listeners[listener].floor = users[user].messages.count
        users[user].incarnations.insert(position.incarnation)
    }

    /// A listener is told that history is missing.
    mutating func onGap(_ listener: Int, _ position: Cursor) {
        windows[current].gaps += 1
        note(.gap, "listener \(listener) of user \(listeners[listener].user) is told of a gap; it goes on after \(position.text)")
        listeners[listener].position = position
        users[listeners[listener].user].incarnations.insert(position.incarnation)
    }

    /// A message comes.
    ///
    /// - Parameters:
    ///   - user: whose it is by its payload; `nil` when that says nothing.
    ///   - isMoved: the listener's node is or was the one that the fault took.
    mutating func onMessage(_ listener: Int, user: Int?, number: Int, position: Cursor, isMoved: Bool, at now: Int64) {
        let own = listeners[listener].user
        checkHole(listener, position)
        guard user == own, users[own].messages.indices.contains(number) else {
            windows[current].disorder += 1
            return note(.stranger, "listener \(listener) of user \(own) got message \(number) of user \(user ?? -1) at \(position.text)")
        }
        hear(position, user: own, number: number)
        if !take(number, listener) { return }
        guard let acknowledgedAt = users[own].messages[number].acknowledgedAt else { return }
        let wait = Tally.Waits(socket: max(0, now - acknowledgedAt))
        if isMoved { windows[current].movedWaits.merge(wait) } else { windows[current].waits.merge(wait) }
    }

    /// A listener's socket has ended.
    mutating func onSocketEnd(_ listener: Int, _ end: SocketEnd, _ reason: String) {
        switch end {
        case .moved: windows[current].moved += 1
        case .resumed: windows[current].resumed += 1
        case .violation:
            windows[current].disconnects += 1
            note(.disconnect, "the socket of listener \(listener) ended although its node stayed: \(reason)")
        }
    }

    // MARK: Checks

    /// A place in the order belongs to one message, and a message has one place: whatever any socket sees is held against all others.
    private mutating func hear(_ position: Cursor, user: Int, number: Int) {
        users[user].incarnations.insert(position.incarnation)
        if let other = users[user].byPosition[position] {
            if other != number {
                windows[current].voices += 1
                note(.voice, "messages \(other) and \(number) of user \(user) were both seen at \(position.text)")
            }
        } else {
            users[user].byPosition[position] = number
        }
        let message = users[user].messages[number]
        guard let known = message.position else {
            users[user].messages[number].position = position
            if message.acknowledgedAt != nil, message.sequence != position.sequence { disagree(user, number) }
            return
        }
        if known != position {
            windows[current].voices += 1
            note(.voice, "message \(number) of user \(user) was seen at \(known.text) and at \(position.text)")
        }
    }

    private mutating func disagree(_ user: Int, _ number: Int) {
        let message = users[user].messages[number]
        windows[current].voices += 1
        note(
            .voice, "message \(number) of user \(user) has \(message.sequence) in its receipt and came at \(message.position?.text ?? "-")")
    }

    private mutating func checkHole(_ listener: Int, _ position: Cursor) {
        defer { listeners[listener].position = position }
        guard let known = listeners[listener].position else { return }
        if known.incarnation == position.incarnation, position.sequence <= known.sequence + 1 { return }
        windows[current].disorder += 1
        note(
            .hole, "listener \(listener) of user \(listeners[listener].user) was led from \(known.text) to \(position.text) without a word")
    }

    /// `false` when it has come before.
    private mutating func take(_ number: Int, _ listener: Int) -> Bool {
        let missing = number + 1 - listeners[listener].received.count
        if missing > 0 { listeners[listener].received += Array(repeating: false, count: missing) }
        if listeners[listener].received[number] {
            windows[current].duplicates += 1
            note(.duplicate, "message \(number) of user \(listeners[listener].user) came again to listener \(listener)")
            return false
        }
        listeners[listener].received[number] = true
        if number < listeners[listener].after {
            windows[current].disorder += 1
            note(.disorder, "message \(number) of user \(listeners[listener].user) came to listener \(listener) after a later one")
        }
        listeners[listener].after = max(listeners[listener].after, number + 1)
        return true
    }

    private mutating func note(_ kind: Kind, _ sentence: String) {
        notes[kind, default: 0] += 1
        if notes[kind, default: 0] <= Self.incidentsMax { incidents.append(sentence) }
    }
}

extension Judge {
    // MARK: Questions

    /// Messages acknowledged before a moment that some attached listener has not got yet.
    mutating func missing(before moment: Int64) -> Int {
        var count = 0
        for listener in listeners.indices where listeners[listener].first != nil {
            let messages = users[listeners[listener].user].messages
            var floor = listeners[listener].floor
            // Everything before the first one that is missing, or still without receipt, needs no second look.
            while floor < messages.count, messages[floor].acknowledgedAt != nil, has(listener, floor) { floor += 1 }
            listeners[listener].floor = floor
            for number in floor..<messages.count where !has(listener, number) {
                if let acknowledgedAt = messages[number].acknowledgedAt, acknowledgedAt < moment { count += 1 }
            }
        }
        return count
    }

    /// Which listeners lack acknowledged messages: how many, and the number of the first of them among the user's.
    func stuck() -> [(listener: Int, user: Int, missing: Int, first: Int, of: Int)] {
        listeners.indices.compactMap { listener in
            guard let begin = listeners[listener].first else { return nil }
            let messages = users[listeners[listener].user].messages
            let missing = (begin..<max(begin, messages.count)).filter { messages[$0].acknowledgedAt != nil && !has(listener, $0) }
            return missing.first.map { (listener, listeners[listener].user, missing.count, $0, messages.count) }
        }
    }

    /// Nobody waits any more for what is missing now: what was not there in time counts as lost at the end, and is not waited for twice.
    mutating func giveUpMissing() {
        for listener in listeners.indices { listeners[listener].floor = users[listeners[listener].user].messages.count }
    }

    /// Whether every user's order has a mirrored message that was sent since.
    func isMirrored(since moment: Int64) -> Bool { users.allSatisfy { $0.mirroredSentAt >= moment } }

    /// Whether every user's order has an acknowledged message that was sent since.
    func isAnswered(since moment: Int64) -> Bool {
        users.allSatisfy { user in
            user.messages.reversed().prefix { $0.sentAt >= moment }.contains { $0.acknowledgedAt != nil }
        }
    }

    /// When each message was sent and when it was acknowledged.
    var acknowledgements: [(sentAt: Int64, acknowledgedAt: Int64?)] {
        users.flatMap { user in user.messages.map { ($0.sentAt, $0.acknowledgedAt) } }
    }

    /// Messages that were sent and have no receipt.
    var unanswered: Int { users.reduce(0) { $0 + $1.messages.count { $0.acknowledgedAt == nil } } }

    /// Listeners that have never attached.
    var silent: [Int] { listeners.indices.filter { listeners[$0].first == nil } }

    /// The windows as they are to be reported: with what was lost, and with receipts held against each other.
    var verdict: [Tally] {
        var verdict = windows
        for listener in listeners {
            let messages = users[listener.user].messages
            for number in (listener.first ?? messages.count)..<messages.count where messages[number].acknowledgedAt != nil {
                if !(listener.received.indices.contains(number) && listener.received[number]) { verdict[messages[number].window].lost += 1 }
            }
        }
        for user in users { Self.compareReceipts(user, &verdict) }
        return verdict
    }

    private func has(_ listener: Int, _ number: Int) -> Bool {
        listeners[listener].received.indices.contains(number) && listeners[listener].received[number]
    }

    /// Receipts name a sequence number and no incarnation: that is known from the sockets, or because there has been only one.
    private static func compareReceipts(_ user: User, _ verdict: inout [Tally]) {
        let only = user.incarnations.count == 1 ? user.incarnations.first : nil
        var claimed: Set<Cursor> = []
        for message in user.messages where message.acknowledgedAt != nil {
            guard let incarnation = message.position?.incarnation ?? only else { continue }
            let position = Cursor(incarnation: incarnation, sequence: message.sequence)
            if !claimed.insert(position).inserted { verdict[message.window].voices += 1 }
        }
    }
}
