// Bytes into frames about slots.
import HashRing
import RingpostCore

extension LinkDecoder {
    /// Beyond what anybody can have counted to; adding to it can't overflow.
    fileprivate static let positionMax: UInt64 = 1 << 62
    /// A thousand years.
    private static let millisecondsMax: UInt64 = 1 << 45
    /// No window is longer: an hour.
    private static let rememberedMillisecondsMax: Int64 = 3_600_000

    static func slot(_ type: LinkFrameType, _ body: inout LinkReader) -> SlotFrame? {
        switch type {
        case .slotInquire, .slotAdopt, .slotFill, .slotRelease, .slotKeepers, .slotRetained: return aboutMany(type, &body)
        case .slotFetch, .slotAppend: return aboutOne(type, &body)
        default: return answer(type, &body)
        }
    }

    private static func aboutOne(_ type: LinkFrameType, _ body: inout LinkReader) -> SlotFrame? {
        guard let term = body.readWord(), let slot = body.readSlot() else { return nil }
        if type == .slotFetch { return .fetch(term: term, slot: slot) }
        guard let position = body.readPosition(), position > 0, let entry = entry(&body) else { return nil }
        return .append(term: term, slot: slot, position: position, entry)
    }

    private static func aboutMany(_ type: LinkFrameType, _ body: inout LinkReader) -> SlotFrame? {
        switch type {
        case .slotInquire:
            guard let term = body.readWord(), let slots = list(&body, { $0.readSlot() }) else { return nil }
            return .inquire(term: term, slots: slots)
        case .slotAdopt:
            return list(&body) { body in
                guard let slot = slotTerm(&body), let base = body.readWord(), let position = body.readPosition(),
                    let set = set(&body)
                else { return nil }
                return SlotAdoption(slot: slot.slot, term: slot.term, base: base, position: position, set: set)
            }.map(SlotFrame.adopt)
        case .slotFill:
            return list(&body) { body in
                guard let slot = slotTerm(&body), let length = body.readInteger(as: UInt32.self),
                    var part = body.readPart(length: Int(length)), let chunk = chunk(&part)
                else { return nil }
                return SnapshotTransfer(slot: slot.slot, term: slot.term, chunk: chunk)
            }.map(SlotFrame.snapshots)
        case .slotKeepers:
            return list(&body) { body in
                guard let slot = slotTerm(&body), let set = set(&body) else { return nil }
                return SlotKeepers(slot: slot.slot, term: slot.term, set: set)
            }.map(SlotFrame.keepers)
        case .slotRetained:
            guard let epoch = body.readWord() else { return nil }
            return list(&body, holding).map { .retained(epoch: epoch, $0) }
        default:
            return list(&body) { body in
                guard let slot = body.readSlot(), let evidence = evidence(&body) else { return nil }
                return SlotRelease(slot: slot, evidence: evidence)
            }.map(SlotFrame.release)
        }
    }

    private static func set(_ body: inout LinkReader) -> LineageSet? {
        guard let number = body.readPosition(), let count = body.readInteger(as: UInt16.self), count <= LineageSet.lineagesMax,
            body.readableBytes >= Int(count) * MemoryLayout<UInt64>.size
        else { return nil }
        return LineageSet(number: number, lineages: (0..<count).compactMap { _ in body.readWord() })
    }

    private static func evidence(_ body: inout LinkReader) -> SlotEvidence? {
        guard let term = body.readWord(), let position = body.readPosition(), let set = set(&body) else { return nil }
        return SlotEvidence(term: term, position: position, set: set)
    }

    private static func answer(_ type: LinkFrameType, _ body: inout LinkReader) -> SlotFrame? {
        switch type {
        case .slotHoldings: return holdings(&body)
        case .slotAcknowledgeCopies:
            return list(&body) { body in
                guard let slot = slotTerm(&body), let position = body.readPosition() else { return nil }
                return SlotPosition(slot: slot.slot, term: slot.term, position: position)
            }.map(SlotFrame.acknowledgeCopies)
        case .slotReleased: return list(&body, slotTerm).map(SlotFrame.released)
        default: break
        }
        guard let term = body.readWord(), let slot = body.readSlot() else { return nil }
        switch type {
        case .slotPiece:
            if body.readableBytes == 1, body.readInteger(as: UInt8.self) == 0 { return .chunk(term: term, slot: slot, nil) }
            return chunk(&body).map { .chunk(term: term, slot: slot, $0) }
        case .slotAcknowledge: return body.readPosition().map { .acknowledge(term: term, slot: slot, position: $0) }
        case .slotMismatch: return .mismatch(term: term, slot: slot)
        case .slotRefused: return body.readWord().map { .refused(term: term, slot: slot, minimum: $0) }
        default: return nil
        }
    }

    /// All that is left, one after the other.
    private static func list<Part>(_ body: inout LinkReader, _ read: (inout LinkReader) -> Part?) -> [Part]? {
        var parts: [Part] = []
        while body.readableBytes > 0 {
            guard let part = read(&body) else { return nil }
            parts.append(part)
        }
        return parts
    }

    private static func slotTerm(_ body: inout LinkReader) -> SlotTerm? {
        guard let slot = body.readSlot(), let term = body.readWord() else { return nil }
        return SlotTerm(slot: slot, term: term)
    }

    private static func holdings(_ body: inout LinkReader) -> SlotFrame? {
        guard let term = body.readWord() else { return nil }
        return list(&body, holding).map { .holdings(term: term, $0) }
    }

    private static func holding(_ body: inout LinkReader) -> SlotHolding? {
        guard let slot = body.readSlot(), let kind = body.readInteger(as: UInt8.self).flatMap(LinkHolding.init(rawValue:)) else {
            return nil
        }
        switch kind {
        case .copy, .retained:
            guard let copy = evidence(&body) else { return nil }
            return SlotHolding(
                slot: slot, content: .copy(term: copy.term, position: copy.position, set: copy.set, isCurrent: kind == .copy))
        case .none, .evidence:
            guard let vacant = body.readWord(), let quiet = body.readWord(), vacant <= millisecondsMax,
                quiet <= millisecondsMax || quiet == UInt64(Int64.max)
            else { return nil }
            let known = kind == .evidence ? evidence(&body) : nil
            if kind == .evidence, known == nil { return nil }
            return SlotHolding(slot: slot, content: .none(vacant: Int64(vacant), quiet: Int64(quiet), evidence: known))
        }
    }

    private static func entry(_ body: inout LinkReader) -> SlotEntry? {
        guard let kind = body.readInteger(as: UInt8.self).flatMap(LinkEntry.init(rawValue:)) else { return nil }
        if kind == .nothing { return .nothing }
        guard let key = key(&body) else { return nil }
        if kind == .seen { return body.readTime().map { .seen(key, at: $0) } }
        if kind == .belongs { return body.readWord().map { .belongs(key, to: Principal(rawValue: $0)) } }
        guard let incarnation = body.readWord() else { return nil }
        if kind == .created { return .created(key, incarnation: incarnation) }
        var remembered: Remembered?
        if kind == .rememberedMessage {
            remembered = readRemembered(&body)
            if remembered == nil { return nil }
        }
        return message(&body).map { .message(key, incarnation: incarnation, $0, remembered) }
    }

    private static func chunk(_ body: inout LinkReader) -> SnapshotChunk? {
        guard let flags = body.readInteger(as: UInt8.self), flags & LinkFlag.isThere != 0, let base = body.readWord(),
            let position = body.readPosition(), let set = set(&body), let origin = body.readWord()
        else { return nil }
        var items: [SnapshotItem] = []
        while body.readableBytes > 0 {
            guard let kind = body.readInteger(as: UInt8.self).flatMap(LinkItem.init(rawValue:)), let item = item(kind, &body) else {
                return nil
            }
            items.append(item)
        }
        return SnapshotChunk(
            isFirst: flags & LinkFlag.isFirst != 0, isLast: flags & LinkFlag.isLast != 0, base: base, position: position,
            set: set, origin: origin, items: items)
    }

    private static func item(_ kind: LinkItem, _ body: inout LinkReader) -> SnapshotItem? {
        switch kind {
        case .mailbox:
            guard let key = key(&body), let incarnation = body.readWord(), let appended = body.readPosition(),
                let resumableFrom = body.readWord(), resumableFrom <= appended, let lostAgo = body.readTime(), lostAgo >= 0,
                let lastSeen = body.readTime(), let principal = body.readWord()
            else { return nil }
            return .mailbox(
                MailboxHead(
                    key: key, incarnation: incarnation, appended: appended, resumableFrom: resumableFrom, lostAgo: lostAgo,
                    lastSeen: lastSeen, principal: Principal(rawValue: principal)))
        case .message: return body.readTime().flatMap { message(&body, appendedAt: $0) }.map(SnapshotItem.message)
        case .remembered:
            guard let key = body.readWord(), let remembered = readRemembered(&body) else { return nil }
            return .remembered(KeyHash(rawValue: key), remembered)
        }
    }

    private static func message(_ body: inout LinkReader, appendedAt: Int64 = 0) -> StoredMessage? {
        guard let sequence = body.readPosition(), sequence > 0, let expiresAt = body.readTime(), let publishedAt = body.readTime(),
            let high = body.readWord(), let low = body.readWord(), let length = body.readInteger(as: UInt32.self),
            let envelope = body.readBytes(length: Int(length))
        else { return nil }
        return StoredMessage(
            sequence: sequence, envelope: envelope, expiresAt: expiresAt, publishedAt: publishedAt, id: MessageID(high: high, low: low),
            appendedAt: appendedAt)
    }

    private static func readRemembered(_ body: inout LinkReader) -> Remembered? {
        guard let until = body.readTime(), until <= Self.rememberedMillisecondsMax, let sequence = body.readWord(),
            let epoch = body.readWord(),
            let outcome = body.readInteger(as: UInt8.self).flatMap(Receipt.Outcome.init(rawValue:)),
            let flags = body.readInteger(as: UInt8.self), let high = body.readWord(), let low = body.readWord(),
            let owner = body.readShortText(), let principal = principal(flags & LinkFlag.isSomebodys != 0, &body)
        else { return nil }
        let receipt = Receipt(
            sequence: sequence, epoch: epoch, owner: owner, outcome: outcome, mirrored: flags & LinkFlag.mirrored != 0,
            durable: flags & LinkFlag.durable != 0, id: MessageID(high: high, low: low))
        return Remembered(receipt: receipt, until: until, principal: principal)
    }
}

extension LinkReader {
    fileprivate mutating func readPosition() -> UInt64? { readWord().flatMap { $0 <= LinkDecoder.positionMax ? $0 : nil } }

    fileprivate mutating func readSlot() -> UInt16? { readInteger(as: UInt16.self) }

    /// Milliseconds; within a hundred thousand years, so that adding a clock to it can't overflow, or `Int64.max` for "never".
    fileprivate mutating func readTime() -> Int64? {
        guard let time = readInteger(as: Int64.self) else { return nil }
        return time == .max || abs(Double(time)) < 4e18 ? time : nil
    }
}
