// Reads a chat log: one JSON object a line with `at` ("2004-12-25T09:14"), `from`, `to` (null or a name) and `text`.
// It hands out ranges of the file's bytes, and nothing of a line stays in memory.

import RingpostClient

/// One line of a chat log, as ranges of its bytes, quotes included.
package struct ChatLine: Sendable {
    /// The time stamp's JSON string.
    package let at: Range<Int>
    /// The speaker's JSON string.
    package let from: Range<Int>
    /// The addressee's JSON string; `nil` when the line addresses nobody.
    package let to: Range<Int>?
    /// What was said, a JSON string.
    package let text: Range<Int>

    /// Reads one line; `nil` when it is none of a chat log.
    package init?(_ bytes: UnsafeRawBufferPointer, _ line: Range<Int>) {
        var reader = JSONReader(bytes, line)
        var at: Range<Int>?
        var from: Range<Int>?
        var to: Range<Int>?
        var text: Range<Int>?
        while let (name, value) = reader.nextMember() {
            guard bytes[value.lowerBound] == UInt8(ascii: "\"") else { continue }
            if bytes.holds("at", at: name) { at = value }
            if bytes.holds("from", at: name) { from = value }
            if bytes.holds("to", at: name) { to = value }
            if bytes.holds("text", at: name) { text = value }
        }
        guard let at, let from, let text else { return nil }
        self.at = at
        self.from = from
        self.to = to
        self.text = text
    }

    /// Minutes since 1970 of a stamp "2004-12-25T09:14"; what comes after the minutes is ignored.
    package static func minutes(_ bytes: UnsafeRawBufferPointer, _ stamp: Range<Int>) -> Int? {
        guard stamp.count >= 18 else { return nil }
        func number(_ offset: Int, _ count: Int) -> Int? {
            bytes.unsigned(at: stamp.lowerBound + 1 + offset..<stamp.lowerBound + 1 + offset + count).map(Int.init)
        }
        guard let year = number(0, 4), let month = number(5, 2), let day = number(8, 2), let hour = number(11, 2),
            let minute = number(14, 2), (1...12).contains(month)
        else { return nil }
        // Days from civil (Hinnant, "chrono-Compatible Low-Level Date Algorithms"): years that begin in March need no leap table.
        let shifted = month > 2 ? year : year - 1
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let days = shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400 + dayOfYear - 719_468
        return (days * 24 + hour) * 60 + minute
    }
}

/// What of a chat log is replayed: to whom, in which order, and when.
package struct ReplayPlan: Sendable {
    /// One message to send.
    package struct Message: Sendable {
        /// The line's bytes in the file.
        package let line: Range<Int>
        /// Its recipient's place in ``ReplayPlan/users``.
        package let recipient: UInt32
        /// When to send it, after the beginning of the run.
        package let dueMilliseconds: Int64
    }

    /// The users addressed most, the most addressed first.
    package let users: [String]
    /// In the order of the file.
    package let messages: [Message]
    /// One for each day on which something was said to nobody, named after it: `day:2004-12-25`.
    package private(set) var channels: [String] = []
    /// By channel, the users who said something on that day, or to whom something was said.
    package private(set) var subscribers: [[UInt32]] = []
    /// What was said to nobody, in the order of the file; the recipient is the channel's place.
    package private(set) var calls: [Message] = []
    /// Lines in the file.
    package let lines: Int
    /// Lines that address nobody.
    package let undirected: Int
    /// Lines that address somebody who is not among ``users``, or that come after the last message wanted.
    package let others: Int
    /// Lines that are none of a chat log.
    package let malformed: Int

    /// Chooses from a log.
    ///
    /// - Parameters:
    ///   - userMax: how many users to choose.
    ///   - messageMax: how many messages to choose at most, to users and to nobody each.
    ///   - speed: how much faster than in the log; 0 for all at once.
    ///   - withChannels: also what was said to nobody.
    package init(_ bytes: UnsafeRawBufferPointer, userMax: Int, messageMax: Int, speed: Double, withChannels: Bool = false) {
        var addressed: [String: Int] = [:]
        var lines = 0
        var undirected = 0
        var malformed = 0
        Self.eachLine(bytes) { line in
            lines += 1
            guard let entry = ChatLine(bytes, line) else { return malformed += 1 }
            guard let to = entry.to.flatMap({ bytes.text(at: $0) }) else { return undirected += 1 }
            addressed[to, default: 0] += 1
        }
        let chosen = addressed.sorted { $0.value != $1.value ? $0.value > $1.value : $0.key < $1.key }.prefix(userMax).map(\.key)
        users = chosen
        let indices = Dictionary(uniqueKeysWithValues: chosen.enumerated().map { ($0.element, UInt32($0.offset)) })
        var schedule = ReplaySchedule(speed: speed)
        var found: [(line: Range<Int>, recipient: UInt32, isCall: Bool)] = []
        var counts = (messages: 0, calls: 0)
        var days = ReplayDays()
        Self.eachLine(bytes) { line in
            guard counts.messages < messageMax || withChannels && counts.calls < messageMax, let entry = ChatLine(bytes, line) else {
                return
            }
            let to = entry.to.flatMap { bytes.text(at: $0) }
            if withChannels { days.onLine(bytes, entry, [to, bytes.text(at: entry.from)].compactMap { $0.flatMap { indices[$0] } }) }
            if let index = to.flatMap({ indices[$0] }), counts.messages < messageMax {
                found.append((line, index, false))
                counts.messages += 1
            } else if to == nil, withChannels, counts.calls < messageMax {
                found.append((line, days.channel, true))
                counts.calls += 1
            } else {
                return
            }
            schedule.append(minutes: ChatLine.minutes(bytes, entry.at))
        }
        let planned = zip(found, schedule.dueMilliseconds()).map { found, due in
            (isCall: found.isCall, Message(line: found.line, recipient: found.recipient, dueMilliseconds: due))
        }
        messages = planned.filter { !$0.isCall }.map(\.1)
        // A day on which none of the chosen users was there has nobody to listen.
        let kept = days.subscribers.indices.filter { !days.subscribers[$0].isEmpty }
        channels = kept.map { days.names[$0] }
        subscribers = kept.map { days.subscribers[$0].sorted() }
        let newIndices = Dictionary(uniqueKeysWithValues: kept.enumerated().map { (UInt32($0.element), UInt32($0.offset)) })
        calls = planned.compactMap { isCall, message in
            guard isCall, let index = newIndices[message.recipient] else { return nil }
            return Message(line: message.line, recipient: index, dueMilliseconds: message.dueMilliseconds)
        }
        self.lines = lines
        self.undirected = undirected
        self.malformed = malformed
        others = lines - undirected - malformed - messages.count
    }

    private static func eachLine(_ bytes: UnsafeRawBufferPointer, _ body: (Range<Int>) -> Void) {
        var start = 0
        while start < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[start...])
            let end = rest.firstIndex(of: UInt8(ascii: "\n")).map { start + $0 } ?? bytes.count
            if end > start { body(start..<end) }
            start = end + 1
        }
    }
}

/// The days of a chat log, and who was there on each.
private struct ReplayDays {
    private(set) var names: [String] = []
    private(set) var subscribers: [Set<UInt32>] = []
    private var indices: [String: UInt32] = [:]
    /// The day of the last line.
    private(set) var channel: UInt32 = 0
    private var stamp: ArraySlice<UInt8> = []

    mutating func onLine(_ bytes: UnsafeRawBufferPointer, _ entry: ChatLine, _ users: [UInt32]) {
        // "2004-12-25T09:14", with its quotes.
        let day = bytes[entry.at].dropFirst().prefix(10)
        if !stamp.elementsEqual(day) {
            stamp = Array(day)[...]
            let name = "day:" + String(decoding: day, as: UTF8.self)
            channel = indices[name] ?? UInt32(names.count)
            if indices.updateValue(channel, forKey: name) == nil {
                names.append(name)
                subscribers.append([])
            }
        }
        subscribers[Int(channel)].formUnion(users)
    }
}

/// Turns time stamps into moments of a run: spread over their minute, sped up, and long silences cut.
package struct ReplaySchedule {
    /// A silence of a run is cut to this.
    package static let silenceMillisecondsMax: Int64 = 1_000

    private let speed: Double
    private var stamps: [Int] = []

    /// - Parameter speed: how much faster than the stamps say; 0 for all at once.
    package init(speed: Double) { self.speed = speed }

    /// The next message's stamp; `nil` for the same as the last one's.
    package mutating func append(minutes: Int?) { stamps.append(minutes ?? stamps.last ?? 0) }

    /// When each message is due. A step back in the stamps counts as none.
    package func dueMilliseconds() -> [Int64] {
        guard speed > 0 else { return Array(repeating: 0, count: stamps.count) }
        var dues: [Int64] = []
        dues.reserveCapacity(stamps.count)
        var now = 0.0
        var last = Double(stamps.first ?? 0) * 60_000
        var start = 0
        while start < stamps.count {
            let end = stamps[start...].firstIndex { $0 != stamps[start] } ?? stamps.count
            // Stamps say only the minute; all of a minute in one moment would be no conversation.
            for index in start..<end {
                let moment = Double(stamps[start]) * 60_000 + 60_000 * Double(index - start) / Double(end - start)
                now += min(max(moment - last, 0) / speed, Double(Self.silenceMillisecondsMax))
                last = moment
                dues.append(Int64(now))
            }
            start = end
        }
        return dues
    }
}
