// What of one mailbox's history lies in the node's store only: which messages, and about how large and how old they are. The messages
// themselves are not here. They are counted in stretches, of which the oldest goes first, so that a long history costs memory little.
import DequeModule

/// The part of a history that memory does not hold and the store does.
public struct OlderHistory: Hashable, Sendable {
    /// Messages side by side.
    struct Stretch: Hashable, Sendable {
        /// Its first message when it began; some of its beginning may be lost since.
        let first: UInt64
        /// Its last message.
        var through: UInt64
        /// Bytes of envelopes.
        var bytes: Int
        /// When its oldest message had come, as far as that is known, and its newest.
        let oldest: Int64
        var newest: Int64
        /// When the last of its messages is past its time to live.
        var expiresAt: Int64

        /// The same with times that were counted from `offset` earlier.
        func shifted(by offset: Int64) -> Stretch {
            Stretch(
                first: first, through: through, bytes: bytes, oldest: oldest &+ offset, newest: newest &+ offset,
                expiresAt: expiresAt == .max ? .max : expiresAt &+ offset)
        }
    }

    /// When a stretch has enough, and another one begins.
    struct StretchBounds {
        /// So many stretches a history has about, for each of its bounds.
        static let count = 16
        /// Shorter ones would cost more than they are good for.
        static let messagesMin = 64
        /// See ``messagesMin``.
        static let bytesMin = 64 * 1_024

        let messages: Int
        let bytes: Int
        let milliseconds: Int64

        /// - Parameter milliseconds: for how long a message is kept; `Int64.max` for no bound.
        init(messagesMax: Int, bytesMax: Int, milliseconds: Int64) {
            messages = max(Self.messagesMin, messagesMax / Self.count)
            bytes = max(Self.bytesMin, bytesMax / Self.count)
            self.milliseconds = milliseconds == .max ? .max : max(1, milliseconds / Int64(Self.count))
        }
    }

    /// What has gone from its beginning.
    struct Loss {
        var messages = 0
        var bytes = 0
        /// When the last of them is past its time to live.
        var expiresAt = Int64.min
    }

    /// Messages after this one.
    private(set) var begin: UInt64
    private(set) var stretches: Deque<Stretch> = []
    /// Bytes of envelopes.
    private(set) var bytes = 0

    /// - Parameter begin: the place before the first message.
    init(begin: UInt64) { self.begin = begin }

    /// The last message.
    var end: UInt64 { stretches.last?.through ?? begin }
    /// How many messages.
    var count: Int { Self.messages(after: begin, through: end) }

    /// Numbers that come from others may make no sense, and must not end the process.
    private static func messages(after begin: UInt64, through end: UInt64) -> Int { end > begin ? Int(clamping: end - begin) : 0 }

    /// The next message is in the store only from now on.
    ///
    /// - Returns: whether a stretch begins with it.
    mutating func append(_ message: StoredMessage, bounds: StretchBounds) -> Bool {
        bytes += message.envelope.count
        let last = stretches.count - 1
        if last >= 0, stretches[last].through &- stretches[last].first < UInt64(bounds.messages - 1), stretches[last].bytes < bounds.bytes,
            bounds.milliseconds == .max || message.appendedAt &- stretches[last].oldest < bounds.milliseconds
        {
            stretches[last].through = message.sequence
            stretches[last].bytes += message.envelope.count
            stretches[last].newest = max(stretches[last].newest, message.appendedAt)
            stretches[last].expiresAt = max(stretches[last].expiresAt, message.expiresAt)
            return false
        }
        append(
            Stretch(
                first: message.sequence, through: message.sequence, bytes: message.envelope.count, oldest: message.appendedAt,
                newest: message.appendedAt, expiresAt: message.expiresAt), countsBytes: false)
        return true
    }

    /// A whole stretch, as it was found in a store.
    mutating func append(_ stretch: Stretch, countsBytes: Bool = true) {
        stretches.append(stretch)
        if countsBytes { bytes += stretch.bytes }
    }

    /// Loses its first stretch, or what is left of it.
    mutating func dropStretch() -> Loss {
        guard let first = stretches.first else { return Loss() }
        return drop(max(1, Self.messages(after: begin, through: first.through)))
    }

    /// Loses so many of its first messages. Of a part of a stretch it is not known how large it was: it counts as the stretch's average.
    mutating func drop(_ count: Int) -> Loss {
        var loss = Loss()
        while loss.messages < count, let first = stretches.first {
            let there = Self.messages(after: begin, through: first.through)
            let gone = min(there, count - loss.messages)
            let size = gone == there ? first.bytes : Self.share(of: first.bytes, gone, there)
            loss.messages += gone
            loss.bytes += size
            loss.expiresAt = max(loss.expiresAt, first.expiresAt)
            begin &+= UInt64(gone)
            if gone == there { stretches.removeFirst() } else { stretches[0].bytes -= size }
        }
        bytes -= loss.bytes
        return loss
    }

    /// Ends before a message: what comes from there on is in memory.
    mutating func cut(before first: UInt64) {
        while let last = stretches.last, last.through >= first {
            let start = max(begin, last.first &- 1)
            let there = Self.messages(after: start, through: last.through)
            let left = Self.messages(after: start, through: first &- 1)
            let size = Self.share(of: last.bytes, left, there)
            bytes -= last.bytes - size
            if left == 0 {
                stretches.removeLast()
            } else {
                stretches[stretches.count - 1].through = first - 1
                stretches[stretches.count - 1].bytes = size
            }
        }
    }

    /// How many of the first messages have to go for so many bytes.
    func count(ofBytes wanted: Int) -> Int {
        guard let first = stretches.first else { return 0 }
        let there = Self.messages(after: begin, through: first.through)
        return first.bytes <= wanted ? max(1, there) : min(there, Self.share(of: there, wanted, first.bytes) + 1)
    }

    /// The part of a number that belongs to some of all.
    private static func share(of whole: Int, _ some: Int, _ all: Int) -> Int {
        all <= some ? whole : Int(Double(whole) * (Double(some) / Double(all)))
    }

    /// The same, counted as so many bytes.
    func scaled(toBytes wanted: Int) -> OlderHistory {
        var scaled = OlderHistory(begin: begin)
        for var stretch in stretches {
            stretch.bytes = Self.share(of: stretch.bytes, wanted, bytes)
            scaled.append(stretch)
        }
        return scaled
    }

    /// The same with times that were counted from `offset` earlier.
    func shifted(by offset: Int64) -> OlderHistory {
        var shifted = OlderHistory(begin: begin)
        for stretch in stretches { shifted.append(stretch.shifted(by: offset)) }
        return shifted
    }
}

/// What of all histories of one event loop lies in the node's store only. Where there is no store it stays empty.
struct OlderHistories {
    private struct Place: Hashable {
        let mailboxIndex: Int32
        let incarnation: UInt64
        /// The first message of the stretch for which it was put in.
        let first: UInt64
    }

    /// By mailbox. Only those that have something are here.
    private var all: [Int: (history: OlderHistory, incarnation: UInt64)] = [:]
    /// In the order in which stretches began. Some may be gone by now.
    private var order: Deque<Place> = []
    private var stretchCount = 0
    /// Bytes of envelopes.
    private(set) var bytes = 0
    /// Messages that went because the store has as much as it may.
    var shedCount: UInt64 = 0

    subscript(mailboxIndex: Int) -> OlderHistory? { all.isEmpty ? nil : all[mailboxIndex]?.history }

    /// The oldest message of a mailbox has left memory.
    mutating func append(_ message: StoredMessage, at mailboxIndex: Int, incarnation: UInt64, bounds: OlderHistory.StretchBounds) {
        bytes += message.envelope.count
        let begins = all[mailboxIndex, default: (OlderHistory(begin: message.sequence &- 1), incarnation)].history
            .append(message, bounds: bounds)
        guard begins else { return }
        stretchCount += 1
        put(message.sequence, mailboxIndex, incarnation)
    }

    /// A mailbox has come with this part of its history in the store.
    mutating func set(_ history: OlderHistory, at mailboxIndex: Int, incarnation: UInt64) {
        _ = remove(mailboxIndex)
        if history.count == 0 { return }
        all[mailboxIndex] = (history, incarnation)
        bytes += history.bytes
        stretchCount += history.stretches.count
        for stretch in history.stretches { put(stretch.first, mailboxIndex, incarnation) }
    }

    private mutating func put(_ first: UInt64, _ mailboxIndex: Int, _ incarnation: UInt64) {
        order.append(Place(mailboxIndex: Int32(truncatingIfNeeded: mailboxIndex), incarnation: incarnation, first: first))
        if order.count > 2 * stretchCount + 64 { forgetPlaces() }
    }

    /// One place for each stretch that is there stays: another mailbox may be where theirs was, and a copy that comes again puts in all of its.
    private mutating func forgetPlaces() {
        var there: Set<Place> = []
        let all = all
        order.removeAll { place in
            guard let part = all[Int(place.mailboxIndex)], part.incarnation == place.incarnation,
                part.history.stretches.contains(where: { $0.first == place.first })
            else { return true }
            return !there.insert(place).inserted
        }
    }

    /// Takes messages out of the beginning of a mailbox's part; all of its first stretch unless it is said how many.
    mutating func drop(_ count: Int? = nil, at mailboxIndex: Int) -> OlderHistory.Loss {
        guard let before = all[mailboxIndex]?.history.stretches.count else { return OlderHistory.Loss() }
        let loss = count.map { all[mailboxIndex]?.history.drop($0) } ?? all[mailboxIndex]?.history.dropStretch()
        stretchCount -= before - (all[mailboxIndex]?.history.stretches.count ?? 0)
        bytes -= loss?.bytes ?? 0
        if all[mailboxIndex]?.history.stretches.isEmpty == true { all[mailboxIndex] = nil }
        return loss ?? OlderHistory.Loss()
    }

    /// A mailbox is forgotten, or its history is.
    ///
    /// - Returns: the bytes that have gone.
    mutating func remove(_ mailboxIndex: Int) -> Int {
        guard !all.isEmpty, let removed = all.removeValue(forKey: mailboxIndex)?.history else { return 0 }
        stretchCount -= removed.stretches.count
        bytes -= removed.bytes
        return removed.bytes
    }

    /// How many stretches are in order, those that are gone included.
    var placeCount: Int { order.count }

    /// The mailbox whose stretch began first of those that are there.
    mutating func nextToShed() -> Int? {
        while let place = order.popFirst() {
            let mailboxIndex = Int(place.mailboxIndex)
            guard let part = all[mailboxIndex], part.incarnation == place.incarnation, let first = part.history.stretches.first,
                place.first >= first.first
            else { continue }
            return mailboxIndex
        }
        return nil
    }
}
