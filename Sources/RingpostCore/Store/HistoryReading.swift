// Reads a part of one mailbox's history. What can't be read is stepped over, because what comes behind it is as good as ever; who asks sees by the
// numbers that something is missing.

extension HistoryLoad {
    /// Reads them.
    ///
    /// - Parameter clock: the store's time at ``now``.
    public func read(from source: inout some StoreSource & ~Copyable, clock: StoreClock) -> HistoryPart {
        let mailbox = StoreKey.mailbox(key)
        var reading = HistoryReading(self, end: isBackwards ? through : after, clock: clock)
        if !isBackwards { reading.pass(lost(mailbox, from: &source)) }
        seek(mailbox, reading.end, &source)
        while reading.hasRoom {
            guard source.isValid else {
                if source.damage == nil { break }
                guard reading.stepOver() else { break }
                seek(mailbox, reading.end, &source)
                continue
            }
            guard source.withRecord({ bytes, _ in bytes.starts(with: mailbox) }),
                case .message(_, _, let sequence) = source.withRecord({ bytes, _ in StoredKey(bytes) }), sequence > after,
                sequence <= through
            else { break }
            guard source.withRecord({ _, value in reading.take(sequence, StoredMessageForm.read(value, sequence: sequence, of: key)) })
            else {
                break
            }
            if isBackwards { source.previous() } else { source.next() }
        }
        return reading.part
    }

    private func seek(_ mailbox: [UInt8], _ end: UInt64, _ source: inout some StoreSource & ~Copyable) {
        if isBackwards {
            source.seek(backTo: StoreKey.message(end, inMailbox: mailbox))
        } else {
            source.seek(to: StoreKey.message(after: end, inMailbox: mailbox))
        }
    }

    /// Up to where messages have left the history, though they may still lie there. Where that can't be read, whoever asks knows it.
    private func lost(_ mailbox: [UInt8], from source: inout some StoreSource & ~Copyable) -> UInt64 {
        source.seek(to: mailbox + [StoreKey.Part.bounds.rawValue])
        guard source.isValid, source.withRecord({ bytes, _ in StoredKey(bytes) }) == .part(kind: key.kind, name: key.name, .bounds) else {
            return 0
        }
        return source.withRecord { _, value in
            var reader = StoreReader(value)
            return reader.readNumber()
        } ?? 0
    }
}

/// How far one reading has come.
private struct HistoryReading {
    private let load: HistoryLoad
    private let clock: StoreClock
    /// The last message that was looked at, on the way there: forwards those after it follow, backwards it is the next one.
    private(set) var end: UInt64
    private var messages: [StoredMessage] = []
    private var bytes = 0
    private var isDamaged = false
    /// Where nothing can be read, twice as much is stepped over each time.
    private var step: UInt64 = 1

    init(_ load: HistoryLoad, end: UInt64, clock: StoreClock) {
        self.load = load
        self.clock = clock
        self.end = end
    }

    /// There is more to look at, and room for it. What lies behind the part may be anybody's, and can't be read for all that matters.
    var hasRoom: Bool { messages.count < load.messagesMax && (load.isBackwards ? end > load.after : end < load.through) }
    var part: HistoryPart { HistoryPart(messages: load.isBackwards ? messages.reversed() : messages, isDamaged: isDamaged) }

    /// Nothing up to this message belongs to the history.
    mutating func pass(_ sequence: UInt64) { end = max(end, sequence) }

    /// A record can't be read, and nothing says which. What was read before it is told first.
    ///
    /// - Returns: false where there is nothing to look for any more.
    mutating func stepOver() -> Bool {
        isDamaged = true
        guard messages.isEmpty else { return false }
        let left = load.isBackwards ? end - min(end, load.after) : load.through - min(load.through, end)
        guard left > step else { return false }
        end = load.isBackwards ? end - step : end + step
        step *= 2
        return true
    }

    /// - Parameter read: the message of this number; `nil` where it can't be read.
    /// - Returns: whether more are wanted.
    mutating func take(_ sequence: UInt64, _ read: (message: StoredMessage, incarnation: UInt64, Remembered?)?) -> Bool {
        end = load.isBackwards ? sequence - 1 : sequence
        guard let read else {
            isDamaged = true
            return messages.isEmpty
        }
        bytes += read.message.envelope.count
        if read.incarnation != load.incarnation || (bytes > load.bytesMax && !messages.isEmpty) { return false }
        messages.append(read.message.shifted(by: 0 &- clock.now))
        return true
    }
}
