// A message as a store keeps it. Of its envelope, whatever follows from its place, its name and its id is not written but made again: that is
// a sixth of a message of 512 bytes, which would be written twice (to the write-ahead log and to its file).

/// A message and its receipt, in bytes and back.
enum StoredMessageForm {
    private struct Flags: OptionSet {
        let rawValue: UInt8
        /// The envelope begins as ``Envelope`` makes it, and only the rest is here.
        static let isShortened = Flags(rawValue: 1)
        static let expires = Flags(rawValue: 2)
        static let isRemembered = Flags(rawValue: 4)
    }

    /// Writes a message at its place. Its times, and the receipt's, are the store's.
    static func append(
        _ message: StoredMessage, _ remembered: Remembered?, of key: Key, incarnation: UInt64, to bytes: inout [UInt8],
        scratch: inout [UInt8]
    ) {
        let short = shortened(message, of: key, incarnation: incarnation, scratch: &scratch)
        var flags: Flags = short == nil ? [] : .isShortened
        if message.expiresAt != .max { flags.insert(.expires) }
        if remembered != nil { flags.insert(.isRemembered) }
        bytes.append(flags.rawValue)
        bytes.append(word: incarnation)
        bytes.append(word: message.id.high)
        bytes.append(word: message.id.low)
        bytes.append(signed: message.appendedAt)
        if flags.contains(.expires) { bytes.append(signed: message.expiresAt &- message.appendedAt) }
        if let remembered { append(remembered, after: message.appendedAt, to: &bytes) }
        bytes.append(number: short?.at ?? 0)
        // Mostly a few milliseconds from the envelope's time.
        bytes.append(signed: message.publishedAt &- Int64(bitPattern: (short?.at ?? 0) &* 1_000))
        bytes.append(contentsOf: message.envelope[(short?.restIndex ?? 0)...])
    }

    /// Reads a message that was found at this place; `nil` where it is none.
    static func read(
        _ bytes: UnsafeRawBufferPointer, sequence: UInt64, of key: Key
    ) -> (message: StoredMessage, incarnation: UInt64, Remembered?)? {
        var reader = StoreReader(bytes)
        guard let flags = reader.readByte().map(Flags.init), let incarnation = reader.readWord(), let high = reader.readWord(),
            let low = reader.readWord(), let appendedAt = reader.readSigned()
        else { return nil }
        let id = MessageID(high: high, low: low)
        var expiresAt = Int64.max
        if flags.contains(.expires) {
            guard let after = reader.readSigned() else { return nil }
            expiresAt = appendedAt &+ after
        }
        var remembered: Remembered?
        if flags.contains(.isRemembered) {
            guard let read = readReceipt(&reader, after: appendedAt, sequence: sequence, id: id) else { return nil }
            remembered = read
        }
        guard let at = reader.readNumber(), let published = reader.readSigned() else { return nil }
        var envelope: [UInt8] = []
        let rest = reader.readRest()
        if flags.contains(.isShortened) {
            envelope.reserveCapacity(120 + key.name.count + rest.count)
            Envelope.appendStart(sequence: sequence, incarnation: incarnation, id: id, to: &envelope)
            envelope.append(decimal: at)
            Envelope.appendChannel(key, to: &envelope)
            envelope.append(contentsOf: rest)
        } else {
            envelope = rest
        }
        let message = StoredMessage(
            sequence: sequence, envelope: envelope, expiresAt: expiresAt, publishedAt: published &+ Int64(bitPattern: at &* 1_000), id: id,
            appendedAt: appendedAt)
        return (message, incarnation, remembered?.of(message))
    }

    /// The envelope's time, and where what does not follow from the rest begins; `nil` where the envelope is another than this one.
    private static func shortened(
        _ message: StoredMessage, of key: Key, incarnation: UInt64, scratch: inout [UInt8]
    ) -> (at: UInt64, restIndex: Int)? {
        let envelope = message.envelope
        scratch.removeAll(keepingCapacity: true)
        Envelope.appendStart(sequence: message.sequence, incarnation: incarnation, id: message.id, to: &scratch)
        guard envelope.starts(with: scratch) else { return nil }
        var at: UInt64 = 0
        var index = scratch.count
        // Times of sixteen digits can't overflow, and are three hundred thousand years away.
        while index < envelope.count, index - scratch.count < 16, case let digit = envelope[index] &- UInt8(ascii: "0"), digit < 10 {
            at = at * 10 + UInt64(digit)
            index += 1
        }
        scratch.append(decimal: at)
        Envelope.appendChannel(key, to: &scratch)
        return envelope.starts(with: scratch) ? (at, scratch.count) : nil
    }

    // MARK: Receipts

    /// Of a receipt's first byte, which is its outcome, and whether it is mirrored in the lowest bit.
    private static let durableBit: UInt8 = 0x80

    /// Writes what of a receipt does not follow from its message.
    static func append(_ remembered: Remembered, after moment: Int64, to bytes: inout [UInt8]) {
        let receipt = remembered.receipt
        bytes.append((receipt.durable ? durableBit : 0) | receipt.outcome.rawValue << 1 | (receipt.mirrored ? 1 : 0))
        bytes.append(signed: remembered.until &- moment)
        bytes.append(number: receipt.epoch)
        bytes.append(word: remembered.principal.rawValue)
        bytes.append(number: UInt64(receipt.owner.utf8.count))
        bytes.append(contentsOf: receipt.owner.utf8)
    }

    static func readReceipt(_ reader: inout StoreReader, after moment: Int64, sequence: UInt64, id: MessageID) -> Remembered? {
        guard let first = reader.readByte(), let outcome = Receipt.Outcome(rawValue: (first & ~durableBit) >> 1),
            let until = reader.readSigned(),
            let epoch = reader.readNumber(), let principal = reader.readWord(), let count = reader.readNumber(),
            let owner = Int(exactly: count).flatMap({ reader.readBytes($0) })
        else { return nil }
        let receipt = Receipt(
            sequence: sequence, epoch: epoch, owner: String(decoding: owner, as: UTF8.self), outcome: outcome, mirrored: first & 1 == 1,
            durable: first & durableBit != 0, id: id)
        return Remembered(receipt: receipt, until: moment &+ until, principal: Principal(rawValue: principal))
    }
}
