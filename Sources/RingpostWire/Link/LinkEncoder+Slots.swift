// Frames about slots into bytes.
import HashRing
import NIOCore
import RingpostCore

extension LinkEncoder {
    static func write(_ frame: SlotFrame, into buffer: inout ByteBuffer) {
        switch frame {
        case .inquire(let term, let slots):
            framed(.slotInquire, &buffer) { buffer in
                buffer.writeInteger(term, endianness: .little)
                for slot in slots { buffer.writeInteger(slot, endianness: .little) }
            }
        case .fetch(let term, let slot): write(.slotFetch, term, slot, into: &buffer) { _ in }
        case .adopt(let adoptions):
            write(.slotAdopt, adoptions, into: &buffer) { adoption, buffer in
                write(adoption.slot, adoption.term, into: &buffer)
                buffer.writeInteger(adoption.base, endianness: .little)
                buffer.writeInteger(adoption.position, endianness: .little)
                write(adoption.set, into: &buffer)
            }
        case .snapshots(let transfers):
            write(.slotFill, transfers, into: &buffer) { transfer, buffer in
                write(transfer.slot, transfer.term, into: &buffer)
                let length = buffer.writerIndex
                buffer.writeInteger(UInt32(0))
                write(transfer.chunk, into: &buffer)
                buffer.setInteger(UInt32(buffer.writerIndex - length - 4), at: length, endianness: .little)
            }
        case .append(let term, let slot, let position, let entry):
            write(.slotAppend, term, slot, into: &buffer) { buffer in
                buffer.writeInteger(position, endianness: .little)
                write(entry, into: &buffer)
            }
        case .release(let slots):
            write(.slotRelease, slots, into: &buffer) { slot, buffer in
                buffer.writeInteger(slot.slot, endianness: .little)
                write(slot.evidence, into: &buffer)
            }
        case .keepers(let slots):
            write(.slotKeepers, slots, into: &buffer) { slot, buffer in
                write(slot.slot, slot.term, into: &buffer)
                write(slot.set, into: &buffer)
            }
        case .retained(let epoch, let holdings):
            framed(.slotRetained, &buffer) { buffer in
                buffer.writeInteger(epoch, endianness: .little)
                for holding in holdings { write(holding, into: &buffer) }
            }
        case .holdings, .chunk, .acknowledge, .acknowledgeCopies, .mismatch, .released, .refused: write(answer: frame, into: &buffer)
        }
    }

    private static func write(answer frame: SlotFrame, into buffer: inout ByteBuffer) {
        switch frame {
        case .holdings(let term, let holdings):
            framed(.slotHoldings, &buffer) { buffer in
                buffer.writeInteger(term, endianness: .little)
                for holding in holdings { write(holding, into: &buffer) }
            }
        case .chunk(let term, let slot, let chunk):
            write(.slotPiece, term, slot, into: &buffer) { buffer in
                if let chunk { write(chunk, into: &buffer) } else { buffer.writeInteger(UInt8(0)) }
            }
        case .acknowledge(let term, let slot, let position):
            write(.slotAcknowledge, term, slot, into: &buffer) { $0.writeInteger(position, endianness: .little) }
        case .mismatch(let term, let slot): write(.slotMismatch, term, slot, into: &buffer) { _ in }
        case .acknowledgeCopies(let positions):
            write(.slotAcknowledgeCopies, positions, into: &buffer) { at, buffer in
                write(at.slot, at.term, into: &buffer)
                buffer.writeInteger(at.position, endianness: .little)
            }
        case .released(let slots):
            write(.slotReleased, slots, into: &buffer) { slot, buffer in write(slot.slot, slot.term, into: &buffer) }
        case .refused(let term, let slot, let minimum):
            write(.slotRefused, term, slot, into: &buffer) { $0.writeInteger(minimum, endianness: .little) }
        case .inquire, .fetch, .adopt, .snapshots, .append, .release, .keepers, .retained: break
        }
    }

    private static func write(_ set: LineageSet, into buffer: inout ByteBuffer) {
        buffer.writeInteger(set.number, endianness: .little)
        buffer.writeInteger(UInt16(set.lineages.count), endianness: .little)
        for lineage in set.lineages { buffer.writeInteger(lineage, endianness: .little) }
    }

    private static func write(_ evidence: SlotEvidence, into buffer: inout ByteBuffer) {
        buffer.writeInteger(evidence.term, endianness: .little)
        buffer.writeInteger(evidence.position, endianness: .little)
        write(evidence.set, into: &buffer)
    }

    private static func write(
        _ type: LinkFrameType, _ term: UInt64, _ slot: UInt16, into buffer: inout ByteBuffer, _ rest: (inout ByteBuffer) -> Void
    ) {
        framed(type, &buffer) { buffer in
            buffer.writeInteger(term, endianness: .little)
            buffer.writeInteger(slot, endianness: .little)
            rest(&buffer)
        }
    }

    private static func write<Part>(
        _ type: LinkFrameType, _ parts: [Part], into buffer: inout ByteBuffer, _ write: (Part, inout ByteBuffer) -> Void
    ) {
        framed(type, &buffer) { buffer in
            for part in parts { write(part, &buffer) }
        }
    }

    private static func write(_ slot: UInt16, _ term: UInt64, into buffer: inout ByteBuffer) {
        buffer.writeInteger(slot, endianness: .little)
        buffer.writeInteger(term, endianness: .little)
    }

    private static func write(_ holding: SlotHolding, into buffer: inout ByteBuffer) {
        buffer.writeInteger(holding.slot, endianness: .little)
        switch holding.content {
        case .copy(let term, let position, let set, let isCurrent):
            buffer.writeInteger(isCurrent ? LinkHolding.copy.rawValue : LinkHolding.retained.rawValue)
            write(SlotEvidence(term: term, position: position, set: set), into: &buffer)
        case .none(let vacant, let quiet, let evidence):
            buffer.writeInteger(evidence == nil ? LinkHolding.none.rawValue : LinkHolding.evidence.rawValue)
            buffer.writeInteger(vacant, endianness: .little)
            buffer.writeInteger(quiet, endianness: .little)
            if let evidence { write(evidence, into: &buffer) }
        }
    }

    private static func write(_ entry: SlotEntry, into buffer: inout ByteBuffer) {
        switch entry {
        case .message(let key, let incarnation, let message, let remembered):
            buffer.writeInteger(remembered == nil ? LinkEntry.message.rawValue : LinkEntry.rememberedMessage.rawValue)
            write(key, into: &buffer)
            buffer.writeInteger(incarnation, endianness: .little)
            if let remembered { write(remembered, into: &buffer) }
            write(message, into: &buffer)
        case .created(let key, let incarnation):
            buffer.writeInteger(LinkEntry.created.rawValue)
            write(key, into: &buffer)
            buffer.writeInteger(incarnation, endianness: .little)
        case .belongs(let key, let principal):
            buffer.writeInteger(LinkEntry.belongs.rawValue)
            write(key, into: &buffer)
            buffer.writeInteger(principal.rawValue, endianness: .little)
        case .seen(let key, let wall):
            buffer.writeInteger(LinkEntry.seen.rawValue)
            write(key, into: &buffer)
            buffer.writeInteger(wall, endianness: .little)
        case .nothing: buffer.writeInteger(LinkEntry.nothing.rawValue)
        }
    }

    private static func write(_ chunk: SnapshotChunk, into buffer: inout ByteBuffer) {
        buffer.writeInteger(LinkFlag.isThere | (chunk.isFirst ? LinkFlag.isFirst : 0) | (chunk.isLast ? LinkFlag.isLast : 0))
        buffer.writeInteger(chunk.base, endianness: .little)
        buffer.writeInteger(chunk.position, endianness: .little)
        write(chunk.set, into: &buffer)
        buffer.writeInteger(chunk.origin, endianness: .little)
        for item in chunk.items {
            switch item {
            case .mailbox(let head):
                buffer.writeInteger(LinkItem.mailbox.rawValue)
                write(head.key, into: &buffer)
                buffer.writeInteger(head.incarnation, endianness: .little)
                buffer.writeInteger(head.appended, endianness: .little)
                buffer.writeInteger(head.resumableFrom, endianness: .little)
                buffer.writeInteger(head.lostAgo, endianness: .little)
                buffer.writeInteger(head.lastSeen, endianness: .little)
                buffer.writeInteger(head.principal.rawValue, endianness: .little)
            case .message(let message):
                buffer.writeInteger(LinkItem.message.rawValue)
                buffer.writeInteger(message.appendedAt, endianness: .little)
                write(message, into: &buffer)
            case .remembered(let key, let remembered):
                buffer.writeInteger(LinkItem.remembered.rawValue)
                buffer.writeInteger(key.rawValue, endianness: .little)
                write(remembered, into: &buffer)
            }
        }
    }

    private static func write(_ message: StoredMessage, into buffer: inout ByteBuffer) {
        buffer.writeInteger(message.sequence, endianness: .little)
        buffer.writeInteger(message.expiresAt, endianness: .little)
        buffer.writeInteger(message.publishedAt, endianness: .little)
        buffer.writeInteger(message.id.high, endianness: .little)
        buffer.writeInteger(message.id.low, endianness: .little)
        buffer.writeInteger(UInt32(message.envelope.count), endianness: .little)
        buffer.writeBytes(message.envelope)
    }

    private static func write(_ remembered: Remembered, into buffer: inout ByteBuffer) {
        let receipt = remembered.receipt
        buffer.writeInteger(remembered.until, endianness: .little)
        buffer.writeInteger(receipt.sequence, endianness: .little)
        buffer.writeInteger(receipt.epoch, endianness: .little)
        buffer.writeInteger(receipt.outcome.rawValue)
        buffer.writeInteger(receipt.flags | (remembered.principal.isUnnamed ? 0 : LinkFlag.isSomebodys))
        buffer.writeInteger(receipt.id.high, endianness: .little)
        buffer.writeInteger(receipt.id.low, endianness: .little)
        buffer.writeShort(receipt.owner)
        if !remembered.principal.isUnnamed { buffer.writeInteger(remembered.principal.rawValue, endianness: .little) }
    }
}

extension Receipt {
    /// What a receipt says in one bit each, wherever it stands. What is only remembered says whether there are two copies: a repeat is told
    /// how many there are by then.
    var flags: UInt8 { (mirrored ? LinkFlag.mirrored : 0) | (durable ? LinkFlag.durable : 0) }

    /// The same where a producer is told.
    var toldFlags: UInt8 { flags | (copies > 2 ? LinkFlag.threeCopies : 0) }

    /// The number of copies that flags tell of.
    static func copies(flags: UInt8) -> UInt8 { flags & LinkFlag.mirrored == 0 ? 1 : flags & LinkFlag.threeCopies == 0 ? 2 : 3 }
}
