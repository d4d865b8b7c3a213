// What is written, in bytes and back.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct StoreFormTests {
    private let hasher = KeyHasher(seed: SipKey(ascii: "store form tests"))

    private func key(_ kind: KeyKind, _ name: String) throws -> Key { try Key(kind, name: Array(name.utf8), hasher: hasher) }

    private func read<Value>(_ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) -> Value) -> Value { bytes.withUnsafeBytes { body($0) } }

    // MARK: Numbers

    @Test(arguments: [0, 1, 127, 128, 16_383, 16_384, .max - 1, .max] as [UInt64]) func numbersComeBack(_ number: UInt64) {
        var bytes: [UInt8] = []
        bytes.append(number: number)
        bytes.append(word: number)
        bytes.append(signed: Int64(bitPattern: number))
        read(bytes) { raw in
            var reader = StoreReader(raw)
            #expect(reader.readNumber() == number)
            #expect(reader.readWord() == number)
            #expect(reader.readSigned() == Int64(bitPattern: number))
            #expect(reader.isAtEnd)
            #expect(reader.readByte() == nil && reader.readNumber() == nil && reader.readWord() == nil)
        }
    }

    @Test func aNumberOfMoreThan64BitsIsNone() {
        read([UInt8](repeating: 0xFF, count: 9) + [2]) { raw in
            var reader = StoreReader(raw)
            #expect(reader.readNumber() == nil)
        }
    }

    @Test func wordsInKeysAreInTheOrderOfNumbers() {
        let mailbox: [UInt8] = [1, 2, 3]
        let numbers: [UInt64] = [0, 1, 255, 256, 1 << 40, .max]
        let keys = numbers.map { StoreKey.message($0, inMailbox: mailbox) }
        #expect(keys == keys.sorted { $0.lexicographicallyPrecedes($1) })
        #expect(keys.allSatisfy { $0.lexicographicallyPrecedes(StoreKey.end(ofMailbox: mailbox)) })
        let afterwards = numbers.map { StoreKey.message(after: $0, inMailbox: mailbox) }
        #expect(zip(keys, afterwards).allSatisfy { $0.lexicographicallyPrecedes($1) })
        #expect(zip(afterwards, keys.dropFirst()).allSatisfy { $0.lexicographicallyPrecedes($1) })
    }

    // MARK: Keys

    @Test func keysComeApart() throws {
        let user = try key(.user, "alice")
        let mailbox = StoreKey.mailbox(user)
        #expect(read(StoreKey.message(7, inMailbox: mailbox), StoredKey.init) == .message(kind: .user, name: user.name, sequence: 7))
        #expect(read(mailbox + [StoreKey.Part.seen.rawValue], StoredKey.init) == .part(kind: .user, name: user.name, .seen))
        var receipt: [UInt8] = []
        StoreKey.receipt(MessageID(high: 1, low: 2), to: user.hash, into: &receipt)
        #expect(read(receipt, StoredKey.init) == .receipt(user.hash, MessageID(high: 1, low: 2)))
        let first = StoreKey.message(0, inMailbox: mailbox)
        for wrong in [[], [1], mailbox, mailbox + [99], first, Array(receipt.dropLast()), receipt + [0], [0, 0, 9]] {
            #expect(read(wrong, StoredKey.init) == nil)
        }
        #expect(read(StoreKey.head(ofSlot: 65_535), StoreKey.slot(ofHead:)) == 65_535)
        #expect(read(StoreKey.clock, StoreKey.slot(ofHead:)) == nil)
    }

    // MARK: Heads

    private static let heads = [
        SlotHead(kind: .copy, term: 1 << 40, position: 9, fence: .max, origin: 1, set: LineageSet(number: 0, lineages: [])),
        SlotHead(kind: .released, term: 0, position: .max, fence: 3, origin: .max, set: LineageSet(number: 5, lineages: [1, .max, 7])),
        SlotHead(kind: .fenced, term: 0, position: 0, fence: 3, origin: 0, set: LineageSet(number: 0, lineages: [])),
    ]

    @Test(arguments: heads) func headsComeBack(_ head: SlotHead) {
        var bytes: [UInt8] = []
        head.append(to: &bytes)
        #expect(read(bytes) { SlotHead($0) } == head)
        for count in 0..<bytes.count { #expect(read(Array(bytes[..<count])) { SlotHead($0) } == nil) }
        #expect(read(bytes + [0]) { SlotHead($0) } == nil)
        #expect(read([2] + bytes.dropFirst()) { SlotHead($0) } == nil, "another form")
        #expect(head.asHearsay?.kind == (head.kind == .copy ? .hearsay : nil))
        #expect(head.asHearsay == head.asHearsay?.asHearsay && head.asHearsay?.position ?? head.position == head.position)
    }

    /// What waits is counted with the names of all who have a copy, however small the change is.
    @Test func aTickCountsItsHeads() {
        func bytes(_ lineages: Int) -> Int {
            let set = LineageSet(number: 1, lineages: Array(repeating: 7, count: lineages))
            let head = SlotHead(kind: .copy, term: 1, position: 1, fence: 1, origin: 1, set: set)
            return StoreTick(now: 0, slots: [SlotWrite(slot: 1, head: head, changes: [])]).bytes
        }
        #expect(bytes(LineageSet.lineagesMax) - bytes(0) == 8 * LineageSet.lineagesMax)
    }

    // MARK: Messages

    private func envelope(_ key: Key, _ sequence: UInt64, incarnation: UInt64, at: Int64, from: [UInt8] = [], data: String = "{\"a\":1}")
        -> [UInt8]
    {
        Envelope.encode(
            key, sequence: sequence, incarnation: incarnation, id: MessageID(high: 3, low: 4), at: at, from: from, data: Array(data.utf8))
    }

    private func roundTrip(_ message: StoredMessage, _ remembered: Remembered?, of key: Key) -> (count: Int, same: Bool) {
        var bytes: [UInt8] = []
        var scratch: [UInt8] = []
        StoredMessageForm.append(message, remembered, of: key, incarnation: 11, to: &bytes, scratch: &scratch)
        let back = read(bytes) { StoredMessageForm.read($0, sequence: message.sequence, of: key) }
        for count in 0..<min(bytes.count, 40) {
            _ = read(Array(bytes[..<count])) { StoredMessageForm.read($0, sequence: message.sequence, of: key) }
        }
        return (bytes.count, back?.message == message && back?.2 == remembered?.of(message) && back?.incarnation == 11)
    }

    @Test func messagesComeBack() throws {
        let (user, channel) = (try key(.user, "alice"), try key(.channel, "a\"b\\c"))
        let id = MessageID(high: 3, low: 4)
        let receipt = Receipt(sequence: 5, epoch: 1 << 33, owner: "node-1", outcome: .stored, mirrored: true, id: id)
        let remembered = Remembered(receipt: receipt, until: 30_000, principal: Principal(rawValue: 77))
        let durable = Remembered(receipt: receipt.with(copies: 1, durable: true, outcome: .unknown), until: 30_000)
        for key in [user, channel] {
            for expiresAt in [Int64.max, -5, 1 << 50] {
                for from in [[], Array("{\"user\":\"bob\"}".utf8)] {
                    let message = StoredMessage(
                        sequence: 5, envelope: envelope(key, 5, incarnation: 11, at: 1_700_000_000_123, from: from), expiresAt: expiresAt,
                        publishedAt: 1_700_000_000_122_999, id: id, appendedAt: -3)
                    #expect(roundTrip(message, remembered, of: key).same)
                    #expect(roundTrip(message, durable, of: key).same)
                    #expect(roundTrip(message, nil, of: key).same)
                }
            }
        }
    }

    /// Whatever an envelope is, it comes back byte for byte.
    @Test func anEnvelopeOfAnotherFormComesBack() throws {
        let channel = try key(.channel, "room")
        let id = MessageID(high: 3, low: 4)
        let usual = envelope(channel, 5, incarnation: 11, at: 1_700_000_000_123)
        var others = [
            [], [0], Array("{\"seq\":5}".utf8), envelope(channel, 5, incarnation: 12, at: 1), envelope(channel, 6, incarnation: 11, at: 1),
        ]
        for index in usual.indices { others.append(Array(usual[..<index])) }
        for index in usual.indices {
            var other = usual
            other[index] ^= 1
            others.append(other)
        }
        let text = String(decoding: usual, as: UTF8.self)
        for at in ["0001", "99999999999999999999", "-1", ""] {
            others.append(Array(text.replacing("1700000000123", with: at).utf8))
        }
        for envelope in others {
            #expect(roundTrip(StoredMessage(sequence: 5, envelope: envelope, id: id), nil, of: channel).same)
        }
    }

    /// 512 bytes of payload must leave room for what RocksDB adds, in a log and in a file.
    @Test func aMessageTakesLittleMoreThanItsPayload() throws {
        let user = try key(.user, "alice")
        let id = MessageID(high: .max, low: .max)
        let message = StoredMessage(
            sequence: 1 << 20,
            envelope: envelope(user, 1 << 20, incarnation: 11, at: 1_700_000_000_123, data: String(repeating: "1", count: 512)),
            publishedAt: 1_700_000_000_122_999, id: id, appendedAt: 1 << 40)
        let receipt = Receipt(sequence: 1 << 20, epoch: 1 << 40, owner: "n1", outcome: .stored, mirrored: true, id: id)
        // The id in the envelope is another one than the message's, as no owner writes it: then all of it is kept.
        #expect(roundTrip(message, nil, of: user).count > 512 + 100)
        let shortened = StoredMessage(
            sequence: 1 << 20, envelope: message.envelope, publishedAt: message.publishedAt, id: MessageID(high: 3, low: 4),
            appendedAt: 1 << 40)
        let remembered = Remembered(receipt: receipt.with(id: shortened.id), until: (1 << 40) + 30_000)
        let trip = roundTrip(shortened, remembered, of: user)
        #expect(trip.same && trip.count <= 512 + 80, "\(trip.count) bytes")
    }
}

extension Receipt {
    fileprivate func with(id: MessageID) -> Receipt {
        Receipt(sequence: sequence, epoch: epoch, owner: owner, outcome: outcome, mirrored: mirrored, id: id)
    }
}
