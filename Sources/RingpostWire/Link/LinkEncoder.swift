// Frames into bytes. Everything is appended to a buffer that collects a whole tick's frames and leaves in one write.
import NIOCore
import RingpostCore

/// Writes link frames.
public enum LinkEncoder {
    /// Appends one frame.
    public static func write(_ frame: LinkFrame, into buffer: inout ByteBuffer) {
        switch frame {
        case .hello(let hello): framed(.hello, &buffer) { write(hello, into: &$0) }
        case .welcome(let welcome):
            framed(.welcome, &buffer) { buffer in
                buffer.writeShort(welcome.node)
                buffer.writeInteger(welcome.boot, endianness: .little)
                buffer.writeInteger(welcome.epoch, endianness: .little)
                buffer.writeInteger(welcome.payloadBytesMax, endianness: .little)
            }
        case .challenge(let nonce, let proof):
            framed(.challenge, &buffer) { buffer in
                buffer.writeBytes(nonce.bytes)
                buffer.writeBytes(proof.bytes)
            }
        case .proof(let proof): framed(.proof, &buffer) { $0.writeBytes(proof.bytes) }
        case .refuse(let sentence):
            // The other side may still read nothing longer than a handshake.
            framed(.refuse, &buffer) { $0.writeShort(sentence, bytesMax: LinkProtocol.handshakeBytesMax - 3) }
        case .forward(let forward): write(forward, into: &buffer)
        case .produce(let produce): write(produce, into: &buffer)
        case .answer(let request, let result, let message): write(answer: request, result, message, into: &buffer)
        case .attach(let attachment, let epoch, let key, let start, let stay, let countMax, let age):
            framed(.attach, &buffer) { buffer in
                buffer.writeInteger(attachment, endianness: .little)
                buffer.writeInteger(epoch, endianness: .little)
                buffer.writeInteger(stay.rawValue)
                if stay == .page { buffer.writeInteger(countMax, endianness: .little) }
                write(start, ageMilliseconds: stay == .page ? 0 : age, into: &buffer)
                write(key, into: &buffer)
            }
        case .attached(let attachment, let result): write(attached: attachment, result, into: &buffer)
        case .detach(let attachment, let key):
            framed(.detach, &buffer) { buffer in
                buffer.writeInteger(attachment, endianness: .little)
                write(key, into: &buffer)
            }
        case .detached(let attachment): framed(.detached, &buffer) { $0.writeInteger(attachment, endianness: .little) }
        case .deliver(let attachments, let incarnation, let message):
            writeDeliver(to: attachments, incarnation: incarnation, message, into: &buffer)
        case .presenceReport(let attachment, let key, let report): write(report, attachment, key, into: &buffer)
        case .presenceNews(let attachment, let news): write(news, attachment, into: &buffer)
        case .ping(let query, let sentAt, let standing): write(.ping, query, sentAt, standing, into: &buffer)
        case .pong(let query, let sentAt, let standing): write(.pong, query, sentAt, standing, into: &buffer)
        case .slot(let frame): write(frame, into: &buffer)
        case .ask(let request, let question, let argument):
            framed(.ask, &buffer) { buffer in
                buffer.writeInteger(request, endianness: .little)
                buffer.writeInteger(question.rawValue)
                buffer.writeBytes(argument)
            }
        case .members(let epoch, let generation, let members): write(members: members, epoch, generation, into: &buffer)
        case .told(let request, let json):
            framed(.told, &buffer) { buffer in
                buffer.writeInteger(request, endianness: .little)
                buffer.writeBytes(json)
            }
        }
    }

    /// A deliver frame, without making a `LinkFrame` first: the most frequent one.
    public static func writeDeliver(
        to attachments: [UInt64], incarnation: UInt64, _ message: StoredMessage, into buffer: inout ByteBuffer
    ) {
        precondition((1...LinkProtocol.addressesMax).contains(attachments.count), "a deliver frame to \(attachments.count) attachments")
        buffer.writeInteger(UInt32(1 + 2 + 8 * attachments.count + 24 + message.envelope.count), endianness: .little)
        buffer.writeInteger(LinkFrameType.deliver.rawValue)
        buffer.writeInteger(UInt16(attachments.count), endianness: .little)
        for attachment in attachments { buffer.writeInteger(attachment, endianness: .little) }
        buffer.writeInteger(incarnation, endianness: .little)
        buffer.writeInteger(message.sequence, endianness: .little)
        buffer.writeInteger(message.publishedAt, endianness: .little)
        buffer.writeBytes(message.envelope)
    }

    static func framed(_ type: LinkFrameType, _ buffer: inout ByteBuffer, _ body: (inout ByteBuffer) -> Void) {
        let start = buffer.writerIndex
        buffer.writeInteger(UInt32(0))
        buffer.writeInteger(type.rawValue)
        body(&buffer)
        buffer.setInteger(UInt32(buffer.writerIndex - start - 4), at: start, endianness: .little)
    }

    /// All fields of a hello, each of a fixed length or with its length before it: no two hellos have the same bytes.
    static func write(_ hello: LinkHello, into buffer: inout ByteBuffer) {
        buffer.writeInteger(LinkProtocol.magic, endianness: .little)
        buffer.writeInteger(hello.version, endianness: .little)
        buffer.writeInteger(hello.role.rawValue)
        buffer.writeShort(hello.cluster)
        buffer.writeInteger(hello.generation, endianness: .little)
        buffer.writeShort(hello.from)
        buffer.writeInteger(hello.boot, endianness: .little)
        buffer.writeShort(hello.to)
        buffer.writeInteger(hello.toBoot, endianness: .little)
        buffer.writeInteger(hello.line, endianness: .little)
        buffer.writeInteger(hello.dial, endianness: .little)
        buffer.writeBytes(hello.nonce.bytes)
        buffer.writeShort(hello.credential)
    }

    private static func write(_ forward: LinkForward, into buffer: inout ByteBuffer) {
        let publish = Publish(
            key: forward.key, id: forward.id, principal: forward.principal, from: forward.from, isRepeatable: forward.isRepeatable,
            isForgettable: forward.isForgettable, data: forward.data, deadline: 0, publishedAt: forward.publishedAt,
            mayBeRepeat: forward.mayBeRepeat)
        writeForward(
            forward.request, publish, timeToLive: forward.timeToLiveSeconds ?? noTimeToLive, epoch: forward.epoch, hops: forward.hops,
            restarts: forward.restarts, budgetMilliseconds: forward.budgetMilliseconds, into: &buffer)
    }

    /// A forward frame, without making a `LinkForward` first; see there for its parts.
    public static func writeForward(
        _ request: UInt64, _ publish: Publish, epoch: UInt64, hops: UInt8, restarts: Bool, budgetMilliseconds: UInt16,
        into buffer: inout ByteBuffer
    ) {
        writeForward(
            request, publish, timeToLive: publish.timeToLiveSeconds ?? noTimeToLive, epoch: epoch, hops: hops, restarts: restarts,
            budgetMilliseconds: budgetMilliseconds, into: &buffer)
    }

    /// A forward's frame without the key's name and the payload, after its length.
    private static let forwardBytes = 60

    @inline(__always)
    private static func writeForward(
        _ request: UInt64, _ publish: Publish, timeToLive: UInt32, epoch: UInt64, hops: UInt8, restarts: Bool, budgetMilliseconds: UInt16,
        into buffer: inout ByteBuffer
    ) {
        let flags =
            (restarts ? LinkFlag.restarts : 0) | (publish.isRepeatable ? LinkFlag.isRepeatable : 0)
            | (publish.isForgettable ? LinkFlag.isForgettable : 0) | (publish.mayBeRepeat ? LinkFlag.mayBeRepeat : 0)
            | (publish.principal.isUnnamed ? 0 : LinkFlag.hasPrincipal) | (publish.from.isEmpty ? 0 : LinkFlag.hasSender)
        let nameBytes = min(publish.key.name.count, Int(UInt16.max))
        let principalBytes = publish.principal.isUnnamed ? 0 : MemoryLayout<UInt64>.size
        let senderBytes = publish.from.isEmpty ? 0 : 2 + min(publish.from.count, Int(UInt16.max))
        let length = forwardBytes + nameBytes + principalBytes + senderBytes + publish.data.count
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 4 + length) { bytes in
            bytes.storeBytes(of: UInt32(length).littleEndian, as: UInt32.self)
            bytes[4] = LinkFrameType.forward.rawValue
            bytes.storeBytes(of: request.littleEndian, toByteOffset: 5, as: UInt64.self)
            bytes.storeBytes(of: epoch.littleEndian, toByteOffset: 13, as: UInt64.self)
            bytes[21] = hops
            bytes[22] = flags
            bytes.storeBytes(of: budgetMilliseconds.littleEndian, toByteOffset: 23, as: UInt16.self)
            bytes.storeBytes(of: timeToLive.littleEndian, toByteOffset: 25, as: UInt32.self)
            bytes.storeBytes(of: publish.publishedAt.littleEndian, toByteOffset: 29, as: Int64.self)
            bytes.storeBytes(of: publish.id.high.littleEndian, toByteOffset: 37, as: UInt64.self)
            bytes.storeBytes(of: publish.id.low.littleEndian, toByteOffset: 45, as: UInt64.self)
            bytes[53] = publish.key.kind.rawValue
            bytes.storeBytes(of: publish.key.hash.rawValue.littleEndian, toByteOffset: 54, as: UInt64.self)
            bytes.storeBytes(of: UInt16(nameBytes).littleEndian, toByteOffset: 62, as: UInt16.self)
            let name = UnsafeMutableRawBufferPointer(rebasing: bytes[64..<64 + nameBytes])
            publish.key.name.withUnsafeBytes { name.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<nameBytes])) }
            if principalBytes > 0 {
                bytes.storeBytes(of: publish.principal.rawValue.littleEndian, toByteOffset: 64 + nameBytes, as: UInt64.self)
            }
            if senderBytes > 0 { write(sender: publish.from, length: senderBytes - 2, at: 64 + nameBytes + principalBytes, bytes) }
            let data = UnsafeMutableRawBufferPointer(rebasing: bytes[(64 + nameBytes + principalBytes + senderBytes)...])
            publish.data.withUnsafeBytes { data.copyMemory(from: $0) }
            return 4 + length
        }
    }

    private static func write(sender: [UInt8], length: Int, at offset: Int, _ bytes: UnsafeMutableRawBufferPointer) {
        bytes.storeBytes(of: UInt16(length).littleEndian, toByteOffset: offset, as: UInt16.self)
        let place = UnsafeMutableRawBufferPointer(rebasing: bytes[(offset + 2)..<(offset + 2 + length)])
        sender.withUnsafeBytes { place.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<length])) }
    }

    private static func write(_ produce: LinkProduce, into buffer: inout ByteBuffer) {
        let frame = produce.name.withUnsafeBytes { name in
            produce.idempotencyKey.withUnsafeReadableBytes { key in
                produce.data.withUnsafeReadableBytes { data in
                    ProduceFrame(
                        isChannel: produce.kind == .channel, name: name, idempotencyKey: key, isForgettable: produce.isForgettable,
                        timeToLiveSeconds: produce.timeToLiveSeconds, isJSON: produce.isJSON, data: data)
                }
            }
        }
        frame.write(
            request: produce.request, restarts: produce.restarts, mayBeRepeat: produce.mayBeRepeat,
            budgetMilliseconds: produce.budgetMilliseconds, into: &buffer)
    }

    /// The answer to a forward or a produce frame, without making a `LinkFrame` first.
    public static func write(answer request: UInt64, _ result: PublishResult, _ message: String? = nil, into buffer: inout ByteBuffer) {
        switch result {
        case .success(let receipt):
            var owner = receipt.owner
            owner.withUTF8 { owner in
                let owner = owner.prefix(Int(UInt16.max))
                let length = receiptBytes + owner.count
                buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: 4 + length) { bytes in
                    bytes.storeBytes(of: UInt32(length).littleEndian, as: UInt32.self)
                    bytes[4] = LinkFrameType.receipt.rawValue
                    bytes.storeBytes(of: request.littleEndian, toByteOffset: 5, as: UInt64.self)
                    bytes.storeBytes(of: receipt.sequence.littleEndian, toByteOffset: 13, as: UInt64.self)
                    bytes.storeBytes(of: receipt.epoch.littleEndian, toByteOffset: 21, as: UInt64.self)
                    bytes[29] = receipt.outcome.rawValue
                    bytes[30] = receipt.toldFlags | (receipt.repeated ? LinkFlag.repeated : 0)
                    bytes.storeBytes(of: receipt.id.high.littleEndian, toByteOffset: 31, as: UInt64.self)
                    bytes.storeBytes(of: receipt.id.low.littleEndian, toByteOffset: 39, as: UInt64.self)
                    bytes.storeBytes(of: UInt16(owner.count).littleEndian, toByteOffset: 47, as: UInt16.self)
                    UnsafeMutableRawBufferPointer(rebasing: bytes[49...]).copyBytes(from: owner)
                    return 4 + length
                }
            }
        case .failure(let problem):
            framed(.refusal, &buffer) { buffer in
                buffer.writeInteger(request, endianness: .little)
                buffer.writeInteger(problem.rawValue)
                buffer.writeShort(message ?? "")
            }
        }
    }

    /// A receipt's frame without the owner's name, after its length.
    private static let receiptBytes = 45

    private static func write(_ start: AttachStart, ageMilliseconds age: UInt32, into buffer: inout ByteBuffer) {
        switch start {
        case .now where age > 0:
            buffer.writeInteger(LinkStart.nowSince.rawValue)
            buffer.writeInteger(age, endianness: .little)
        case .now: buffer.writeInteger(LinkStart.now.rawValue)
        case .earliest: buffer.writeInteger(LinkStart.earliest.rawValue)
        case .after(let cursor):
            buffer.writeInteger(LinkStart.after.rawValue)
            write(cursor, into: &buffer)
        case .newest: buffer.writeInteger(LinkStart.newest.rawValue)
        case .before(let cursor):
            buffer.writeInteger(LinkStart.before.rawValue)
            write(cursor, into: &buffer)
        }
    }

    private static func write(_ cursor: Cursor, into buffer: inout ByteBuffer) {
        buffer.writeInteger(cursor.incarnation, endianness: .little)
        buffer.writeInteger(cursor.sequence, endianness: .little)
    }

    private static func write(attached attachment: UInt64, _ result: Result<AttachReply, Problem>, into buffer: inout ByteBuffer) {
        switch result {
        case .success(let reply):
            framed(.attached, &buffer) { buffer in
                buffer.writeInteger(attachment, endianness: .little)
                buffer.writeInteger(
                    (reply.gap ? LinkFlag.gap : 0) | (reply.isLive ? LinkFlag.isLive : 0) | (reply.hasMore ? LinkFlag.hasMore : 0))
                buffer.writeInteger(reply.incarnation, endianness: .little)
                buffer.writeInteger(reply.from, endianness: .little)
                buffer.writeInteger(reply.through, endianness: .little)
                for message in reply.messages {
                    buffer.writeInteger(message.sequence, endianness: .little)
                    buffer.writeInteger(UInt32(message.envelope.count), endianness: .little)
                    buffer.writeBytes(message.envelope)
                }
            }
        case .failure(let problem):
            framed(.attachRefused, &buffer) { buffer in
                buffer.writeInteger(attachment, endianness: .little)
                buffer.writeInteger(problem.rawValue)
            }
        }
    }

    private static func write(
        _ type: LinkFrameType, _ query: UInt64, _ sentAt: Int64, _ standing: LinkStanding, into buffer: inout ByteBuffer
    ) {
        framed(type, &buffer) { buffer in
            buffer.writeInteger(query, endianness: .little)
            buffer.writeInteger(sentAt, endianness: .little)
            buffer.writeInteger(standing.epoch, endianness: .little)
            buffer.writeInteger(standing.digest, endianness: .little)
            buffer.writeInteger(
                (standing.reachesZooKeeper ? LinkFlag.reachesZooKeeper : 0) | (standing.isLeaving ? LinkFlag.isLeaving : 0)
                    | (standing.isDraining ? LinkFlag.isDraining : 0))
            buffer.writeInteger(UInt8(standing.unreachable.count))
            for id in standing.unreachable { buffer.writeShort(id) }
        }
    }

    private static func write(members: [Member], _ epoch: UInt64, _ generation: UInt64, into buffer: inout ByteBuffer) {
        let start = buffer.writerIndex
        defer {
            // A thousand members take a tenth of it, unless somebody gave them absurd names. Nobody depends on this frame.
            if buffer.writerIndex - start > LinkProtocol.frameBytesMax { buffer.moveWriterIndex(to: start) }
        }
        framed(.members, &buffer) { buffer in
            buffer.writeInteger(epoch, endianness: .little)
            buffer.writeInteger(generation, endianness: .little)
            buffer.writeInteger(UInt16(members.count), endianness: .little)
            for member in members { buffer.writeShort(member.json()) }
        }
    }

    static func write(_ key: Key, into buffer: inout ByteBuffer) {
        buffer.writeInteger(key.kind.rawValue)
        buffer.writeInteger(key.hash.rawValue, endianness: .little)
        buffer.writeShort(key.name)
    }
}

extension ByteBuffer {
    /// A 16-bit length and the bytes; what is longer is cut.
    mutating func writeShort(_ bytes: some Collection<UInt8>) {
        let bytes = bytes.prefix(Int(UInt16.max))
        writeInteger(UInt16(bytes.count), endianness: .little)
        writeBytes(bytes)
    }

    /// A text is cut so that what is left is valid UTF-8.
    mutating func writeShort(_ text: String, bytesMax: Int = Int(UInt16.max)) {
        if text.utf8.count <= bytesMax {
            writeShort(text.utf8)
        } else {
            // Half a character at the end becomes U+FFFD, which takes up to two bytes more.
            writeShort(String(decoding: text.utf8.prefix(bytesMax - 2), as: UTF8.self).utf8)
        }
    }
}
