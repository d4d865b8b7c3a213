// Where things lie in a store. All of a slot lies together, so that a copy is read, replaced and dropped as one range; in it all of a mailbox,
// so that a history is one range too, in the order of its sequence numbers.
//
//     contents   slot(2) 01 kind name 00 part              of a mailbox: what is known of it
//                slot(2) 01 kind name 00 80 sequence(8)    of a mailbox: a message
//                slot(2) 02 hash(8) id(16)                 a receipt that came with a copy
//     heads      01 slot(2)                                the slot's head
//                02                                        the store's clock
//
// Names are kept whole and end with a zero byte, which no valid name has.
import HashRing

/// The tables of a store.
public enum StoreTable: Int, CaseIterable, Sendable {
    /// Mailboxes, messages and receipts.
    case contents = 0
    /// Slots' heads, and what concerns the store as a whole.
    case heads = 1
}

/// Keys of a store.
public enum StoreKey {
    /// What is known of a mailbox besides its messages; the raw value is in the key.
    enum Part: UInt8 {
        /// Its incarnation, and when it was used.
        case created = 1
        /// Whose name it is.
        case principal = 2
        /// When its user was there.
        case seen = 3
        /// What its history has lost, and where it ends.
        case bounds = 4
    }

    static let mailboxes: UInt8 = 1
    static let receipts: UInt8 = 2
    static let messages: UInt8 = 0x80

    // MARK: Heads

    private static let headArea: UInt8 = 1
    /// All heads begin so.
    public static let heads: [UInt8] = [headArea]
    /// The store's clock.
    public static let clock: [UInt8] = [2]

    /// A slot's head.
    public static func head(ofSlot slot: Int) -> [UInt8] { heads + self.slot(slot) }
    /// The slot that a head's key names; `nil` where it is none.
    public static func slot(ofHead key: UnsafeRawBufferPointer) -> Int? {
        key.count == 3 && key[0] == headArea ? Int(key[1]) << 8 | Int(key[2]) : nil
    }

    // MARK: Contents

    /// All of a slot begins so.
    public static func slot(_ slot: Int) -> [UInt8] {
        [UInt8(truncatingIfNeeded: slot >> 8), UInt8(truncatingIfNeeded: slot)]
    }

    /// All mailboxes of a slot begin so.
    public static func mailboxes(ofSlot slot: Int) -> [UInt8] { self.slot(slot) + [mailboxes] }
    /// The first key that is not the slot's any more.
    public static func end(ofSlot slot: Int) -> [UInt8] { self.slot(slot) + [.max] }

    /// All of a mailbox begins so.
    static func appendMailbox(_ key: Key, to bytes: inout [UInt8]) {
        bytes.append(UInt8(truncatingIfNeeded: key.slot >> 8))
        bytes.append(UInt8(truncatingIfNeeded: key.slot))
        bytes.append(mailboxes)
        bytes.append(key.kind.rawValue)
        bytes.append(contentsOf: key.name)
        bytes.append(0)
    }

    static func mailbox(_ key: Key) -> [UInt8] {
        var bytes: [UInt8] = []
        appendMailbox(key, to: &bytes)
        return bytes
    }

    /// Where a mailbox's message of this number lies. `mailbox` is what all of the mailbox begins with.
    public static func message(_ sequence: UInt64, inMailbox mailbox: [UInt8]) -> [UInt8] {
        var bytes = mailbox
        bytes.append(messages)
        bytes.append(word: sequence)
        return bytes
    }

    /// The first key after that of a mailbox's message of this number, whichever number it is.
    static func message(after sequence: UInt64, inMailbox mailbox: [UInt8]) -> [UInt8] { message(sequence, inMailbox: mailbox) + [0] }

    /// The first key after a mailbox.
    public static func end(ofMailbox mailbox: [UInt8]) -> [UInt8] { mailbox + [.max] }

    static func receipt(_ id: MessageID, to key: KeyHash, into bytes: inout [UInt8]) {
        bytes.append(contentsOf: slot(key.slot))
        bytes.append(receipts)
        bytes.append(word: key.rawValue)
        bytes.append(word: id.high)
        bytes.append(word: id.low)
    }
}

/// A key of the contents, taken apart.
enum StoredKey: Equatable {
    case part(kind: KeyKind, name: [UInt8], StoreKey.Part)
    case message(kind: KeyKind, name: [UInt8], sequence: UInt64)
    case receipt(KeyHash, MessageID)

    init?(_ bytes: UnsafeRawBufferPointer) {
        var reader = StoreReader(bytes)
        guard reader.readByte() != nil, reader.readByte() != nil else { return nil }
        switch reader.readByte() {
        case StoreKey.mailboxes:
            guard let kind = reader.readByte().flatMap(KeyKind.init), let name = reader.readName(), let tag = reader.readByte() else {
                return nil
            }
            if tag == StoreKey.messages {
                // Sequence numbers begin with 1.
                guard let sequence = reader.readWord(), sequence > 0 else { return nil }
                self = .message(kind: kind, name: name, sequence: sequence)
            } else {
                guard let part = StoreKey.Part(rawValue: tag) else { return nil }
                self = .part(kind: kind, name: name, part)
            }
        case StoreKey.receipts:
            guard let hash = reader.readWord(), let high = reader.readWord(), let low = reader.readWord() else { return nil }
            self = .receipt(KeyHash(rawValue: hash), MessageID(high: high, low: low))
        default: return nil
        }
        if !reader.isAtEnd { return nil }
    }
}
