// Bytes into frames about slots.
import HashRing
import NIOCore
import RingpostCore

extension LinkDecoder {
    /// Beyond what anybody can have counted to; adding to it can't overflow.
    fileprivate static let positionMax: UInt64 = 1 << 62
    /// A thousand years.
    private static let millisecondsMax: UInt64 = 1 << 45
    /// No window is longer: an hour.
    private static let rememberedMillisecondsMax: Int64 = 3_600_000

    static func slot(_ type: LinkFrameType, _ body: inout ByteBuffer) -> SlotFrame? {
        switch type {
        case .slotInquire: return inquire(&body)
        case .slotHoldings: return holdings(&body)
        case .slotPiece, .slotAcknowledge, .slotMismatch, .slotReleased, .slotRefused: return answer(type, &body)
        default: break
        }
        guard let epoch = body.readWord(), let term = body.readWord(), let slot = body.readSlot(), term <= epoch else { return nil }
        switch type {
        case .slotFetch: return .fetch(epoch: epoch, term: term, slot: slot)
        case .slotAdopt:
            guard let base = body.readWord(), let position = body.readPosition() else { return nil }
            return .adopt(epoch: epoch, term: term, slot: slot, base: base, position: position)
        case .slotFill: return piece(&body).map { .fill(epoch: epoch, term: term, slot: slot, $0) }
        case .slotAppend:
            guard let position = body.readPosition(), position > 0, let entry = entry(&body) else { return nil }
            return .append(epoch: epoch, term: term, slot: slot, position: position, entry)
        case .slotRelease: return .release(epoch: epoch, term: term, slot: slot)
        default: return nil
        }
    }

    private static func answer(_ type: LinkFrameType, _ body: inout ByteBuffer) -> SlotFrame? {
        guard let term = body.readWord(), let slot = body.readSlot() else { return nil }
        switch type {
        case .slotPiece:
            if body.readableBytes == 1, body.readInteger(as: UInt8.self) == 0 { return .piece(term: term, slot: slot, nil) }
            return piece(&body).map { .piece(term: term, slot: slot, $0) }
        case .slotAcknowledge: return body.readPosition().map { .acknowledge(term: term, slot: slot, position: $0) }
        case .slotMismatch: return .mismatch(term: term, slot: slot)
        case .slotReleased: return .released(term: term, slot: slot)
        case .slotRefused: return body.readWord().map { .refused(term: term, slot: slot, minimum: $0) }
        default: return nil
        }
    }

    private static func inquire(_ body: inout ByteBuffer) -> SlotFrame? {
        guard let epoch = body.readWord(), let term = body.readWord(), term <= epoch else { return nil }
        var slots: [UInt16] = []
        while body.readableBytes > 0 {
            guard let slot = body.readSlot() else { return nil }
            slots.append(slot)
        }
        return .inquire(epoch: epoch, term: term, slots: slots)
    }

    private static func holdings(_ body: inout ByteBuffer) -> SlotFrame? {
        guard let term = body.readWord() else { return nil }
        var holdings: [SlotHolding] = []
        while body.readableBytes > 0 {
            guard let slot = body.readSlot(), let kind = body.readInteger(as: UInt8.self).flatMap(LinkHolding.init(rawValue:)),
                let first = body.readWord(), let second = body.readWord()
            else { return nil }
            switch kind {
            case .copy:
                guard second <= Self.positionMax else { return nil }
                holdings.append(SlotHolding(slot: slot, content: .copy(term: first, position: second)))
            case .none:
                guard first <= Self.millisecondsMax, second <= Self.millisecondsMax || second == UInt64(Int64.max) else { return nil }
                holdings.append(SlotHolding(slot: slot, content: .none(vacant: Int64(first), quiet: Int64(second))))
            }
        }
        return .holdings(term: term, holdings)
    }

    private static func entry(_ body: inout ByteBuffer) -> SlotEntry? {
        guard let kind = body.readInteger(as: UInt8.self).flatMap(LinkEntry.init(rawValue:)) else { return nil }
        if kind == .nothing { return .nothing }
        guard let key = key(&body), let incarnation = body.readWord() else { return nil }
        if kind == .created { return .created(key, incarnation: incarnation) }
        var remembered: Remembered?
        if kind == .rememberedMessage {
            remembered = readRemembered(&body)
            if remembered == nil { return nil }
        }
        return message(&body).map { .message(key, incarnation: incarnation, $0, remembered) }
    }

    private static func piece(_ body: inout ByteBuffer) -> SlotPiece? {
        guard let flags = body.readInteger(as: UInt8.self), flags & LinkFlag.isThere != 0, let base = body.readWord(),
            let position = body.readPosition()
        else { return nil }
        var items: [SlotItem] = []
        while body.readableBytes > 0 {
            guard let kind = body.readInteger(as: UInt8.self).flatMap(LinkItem.init(rawValue:)), let item = item(kind, &body) else {
                return nil
            }
            items.append(item)
        }
        return SlotPiece(
            isFirst: flags & LinkFlag.isFirst != 0, isLast: flags & LinkFlag.isLast != 0, base: base, position: position, items: items)
    }

    private static func item(_ kind: LinkItem, _ body: inout ByteBuffer) -> SlotItem? {
        switch kind {
        case .mailbox:
            guard let key = key(&body), let incarnation = body.readWord(), let appended = body.readPosition(),
                let resumableFrom = body.readWord(), resumableFrom <= appended, let lostAgo = body.readTime(), lostAgo >= 0
            else { return nil }
            return .mailbox(
                MailboxHead(
                    key: key, incarnation: incarnation, appended: appended, resumableFrom: resumableFrom, lostAgo: lostAgo))
        case .message: return body.readTime().flatMap { message(&body, appendedAt: $0) }.map(SlotItem.message)
        case .remembered:
            guard let key = body.readWord(), let remembered = readRemembered(&body) else { return nil }
            return .remembered(KeyHash(rawValue: key), remembered)
        }
    }

    private static func message(_ body: inout ByteBuffer, appendedAt: Int64 = 0) -> StoredMessage? {
        guard let sequence = body.readPosition(), sequence > 0, let expiresAt = body.readTime(), let publishedAt = body.readTime(),
            let high = body.readWord(), let low = body.readWord(), let length = body.readInteger(endianness: .little, as: UInt32.self),
            let envelope = body.readBytes(length: Int(length))
        else { return nil }
        return StoredMessage(
            sequence: sequence, envelope: envelope, expiresAt: expiresAt, publishedAt: publishedAt, id: MessageID(high: high, low: low),
            appendedAt: appendedAt)
    }

    private static func readRemembered(_ body: inout ByteBuffer) -> Remembered? {
        guard let until = body.readTime(), until <= Self.rememberedMillisecondsMax, let sequence = body.readWord(),
            let epoch = body.readWord(),
            let outcome = body.readInteger(as: UInt8.self).flatMap(Receipt.Outcome.init(rawValue:)),
            let flags = body.readInteger(as: UInt8.self), let high = body.readWord(), let low = body.readWord(),
            let owner = body.readShortText()
        else { return nil }
        let receipt = Receipt(
            sequence: sequence, epoch: epoch, owner: owner, outcome: outcome, mirrored: flags & LinkFlag.mirrored != 0,
            id: MessageID(high: high, low: low))
        return Remembered(receipt: receipt, until: until)
    }
}

extension ByteBuffer {
    fileprivate mutating func readPosition() -> UInt64? { readWord().flatMap { $0 <= LinkDecoder.positionMax ? $0 : nil } }

    fileprivate mutating func readSlot() -> UInt16? { readInteger(endianness: .little, as: UInt16.self) }

    /// Milliseconds; within a hundred thousand years, so that adding a clock to it can't overflow, or `Int64.max` for "never".
    fileprivate mutating func readTime() -> Int64? {
        guard let time = readInteger(endianness: .little, as: Int64.self) else { return nil }
        return time == .max || abs(Double(time)) < 4e18 ? time : nil
    }
}
