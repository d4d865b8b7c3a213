// Bytes into frames. Lengths are checked before the body has arrived, and every field before it is believed; after an
// error the connection is good for nothing but closing.
import HashRing
import NIOCore
import RingpostCore

/// Reads link frames from what has arrived.
public struct LinkDecoder: Sendable {
    /// Shorter until the handshake is over, so that a stranger can't make a node wait for megabytes.
    public var frameBytesMax = LinkProtocol.handshakeBytesMax

    /// Before the handshake.
    public init() {}

    /// Takes the next whole frame out of `buffer`; `nil` when more bytes are needed.
    ///
    /// - Throws: a sentence that says which bytes were not expected.
    public func next(_ buffer: inout ByteBuffer) throws(LinkError) -> LinkFrame? {
        guard let length = buffer.getInteger(at: buffer.readerIndex, endianness: .little, as: UInt32.self) else { return nil }
        guard length >= 1, length <= frameBytesMax else {
            throw LinkError("a frame of \(length) bytes; at most \(frameBytesMax) are allowed")
        }
        let end = Self.lengthBytes + Int(length)
        guard buffer.readableBytes >= end, let byte = buffer.getInteger(at: buffer.readerIndex + Self.lengthBytes, as: UInt8.self) else {
            return nil
        }
        guard let type = LinkFrameType(rawValue: byte) else { throw LinkError("a frame of unknown type \(byte)") }
        let (frame, bytesLeft) = buffer.withUnsafeReadableBytes { bytes in
            var body = LinkReader(bytes, Self.headBytes..<end)
            return (Self.frame(type, &body, buffer), body.readableBytes)
        }
        guard let frame else { throw LinkError("a broken \(type) frame") }
        if bytesLeft > 0 { throw LinkError("\(bytesLeft) bytes too many in a \(type) frame") }
        buffer.moveReaderIndex(forwardBy: end)
        return frame
    }

    /// Takes a forward out of `buffer` without making a `LinkFrame` first; `nil` when ``next(_:)`` has to look what else is there.
    public func nextForward(_ buffer: inout ByteBuffer) -> LinkForward? { next(.forward, &buffer, Self.forward) }

    /// Takes an answer with a receipt out of `buffer`, likewise.
    public func nextReceipt(_ buffer: inout ByteBuffer) -> (request: UInt64, receipt: Receipt)? { next(.receipt, &buffer, Self.receipt) }

    @inline(__always)
    private func next<Frame>(_ type: LinkFrameType, _ buffer: inout ByteBuffer, _ read: (inout LinkReader) -> Frame?) -> Frame? {
        let taken: (frame: Frame, bytes: Int)? = buffer.withUnsafeReadableBytes { bytes in
            guard bytes.count >= Self.headBytes, bytes[Self.lengthBytes] == type.rawValue else { return nil }
            let length = Int(UInt32(littleEndian: bytes.loadUnaligned(as: UInt32.self)))
            guard length <= frameBytesMax, bytes.count >= Self.lengthBytes + length, length >= 1 else { return nil }
            var body = LinkReader(bytes, Self.headBytes..<Self.lengthBytes + length)
            guard let frame = read(&body), body.readableBytes == 0 else { return nil }
            return (frame, Self.lengthBytes + length)
        }
        guard let taken else { return nil }
        buffer.moveReaderIndex(forwardBy: taken.bytes)
        return taken.frame
    }

    /// A frame's length, and with it its type.
    private static let (lengthBytes, headBytes) = (4, 5)

    private static func frame(_ type: LinkFrameType, _ body: inout LinkReader, _ buffer: ByteBuffer) -> LinkFrame? {
        switch type {
        case .hello: return hello(&body).map(LinkFrame.hello)
        case .welcome: return welcome(&body).map(LinkFrame.welcome)
        case .refuse: return body.readShortText().map(LinkFrame.refuse)
        case .challenge:
            guard let nonce = LinkNonce(reading: &body), let proof = LinkProof(reading: &body) else { return nil }
            return .challenge(nonce, proof)
        case .proof: return LinkProof(reading: &body).map(LinkFrame.proof)
        case .forward: return forward(&body).map(LinkFrame.forward)
        case .produce: return produce(&body, buffer).map(LinkFrame.produce)
        case .receipt: return receipt(&body).map { .answer(request: $0, .success($1), message: nil) }
        case .refusal:
            guard let request = body.readWord(), let problem = problem(&body), let message = body.readShortText() else { return nil }
            return .answer(request: request, .failure(problem), message: message.isEmpty ? nil : message)
        case .attach: return attach(&body)
        case .attached: return attached(&body)
        case .attachRefused:
            guard let attachment = body.readWord(), let problem = problem(&body) else { return nil }
            return .attached(attachment: attachment, .failure(problem))
        case .detach:
            guard let attachment = body.readWord(), let key = key(&body) else { return nil }
            return .detach(attachment: attachment, key: key)
        case .detached: return body.readWord().map { .detached(attachment: $0) }
        case .deliver: return deliver(&body)
        case .presenceReport: return presenceReport(&body)
        case .presenceNews: return presenceNews(&body)
        case .ping: return beat(&body).map { .ping(query: $0, sentAt: $1, $2) }
        case .pong: return beat(&body).map { .pong(query: $0, sentAt: $1, $2) }
        case .ask:
            guard let request = body.readWord(), let byte = body.readInteger(as: UInt8.self), let question = LinkQuestion(rawValue: byte)
            else { return nil }
            return .ask(request: request, question, argument: body.readRest())
        case .told: return body.readWord().map { .told(request: $0, json: body.readRest()) }
        case .members: return members(&body)
        case .slotInquire, .slotFetch, .slotAdopt, .slotFill, .slotAppend, .slotRelease, .slotKeepers, .slotRetained, .slotHoldings,
            .slotPiece, .slotAcknowledge,
            .slotAcknowledgeCopies, .slotMismatch, .slotReleased, .slotRefused:
            return slot(type, &body).map(LinkFrame.slot)
        }
    }

    private static func hello(_ body: inout LinkReader) -> LinkHello? {
        guard let magic = body.readInteger(as: UInt32.self), magic == LinkProtocol.magic,
            let version = body.readInteger(as: UInt16.self)
        else { return nil }
        if version != LinkProtocol.version {
            // Another version's hello may go on in another way; the version is all that it takes to refuse it.
            body.skipRest()
            return LinkHello(version: version, role: .node, cluster: "", generation: 0, from: "", boot: 0, to: "", toBoot: 0)
        }
        guard let byte = body.readInteger(as: UInt8.self),
            let role = LinkHello.Role(rawValue: byte), let cluster = body.readShortText(), let generation = body.readWord(),
            let from = body.readShortText(), let boot = body.readWord(), let to = body.readShortText(), let toBoot = body.readWord(),
            let line = body.readInteger(as: UInt16.self), let dial = body.readWord(),
            let nonce = LinkNonce(reading: &body), let credential = body.readShortText(),
            credential.utf8.count <= LinkProtocol.credentialBytesMax
        else { return nil }
        return LinkHello(
            version: version, role: role, cluster: cluster, generation: generation, from: from, boot: boot, to: to, toBoot: toBoot,
            line: line, dial: dial, nonce: nonce, credential: credential)
    }

    private static func welcome(_ body: inout LinkReader) -> LinkWelcome? {
        guard let node = body.readShortText(), let boot = body.readWord(), let epoch = body.readWord(),
            let payloadBytesMax = body.readInteger(as: UInt32.self)
        else { return nil }
        return LinkWelcome(node: node, boot: boot, epoch: epoch, payloadBytesMax: payloadBytesMax)
    }

    private static func forward(_ body: inout LinkReader) -> LinkForward? {
        guard let request = body.readWord(), let epoch = body.readWord(), let hops = body.readInteger(as: UInt8.self), hops >= 1,
            hops <= PublishContext.hopsMax, let flags = body.readInteger(as: UInt8.self),
            let budget = body.readInteger(as: UInt16.self), Int64(budget) <= Publish.budgetMillisecondsMax,
            let timeToLive = body.readInteger(as: UInt32.self),
            timeToLive == noTimeToLive || timeToLive <= Publish.timeToLiveSecondsMax,
            let publishedAt = body.readInteger(as: Int64.self), let high = body.readWord(), let low = body.readWord(),
            let key = key(&body), let principal = principal(flags & LinkFlag.hasPrincipal != 0, &body),
            let from = sender(flags & LinkFlag.hasSender != 0, &body)
        else { return nil }
        return LinkForward(
            request: request, epoch: epoch, hops: hops, restarts: flags & LinkFlag.restarts != 0, key: key,
            id: MessageID(high: high, low: low), principal: principal, from: from, isRepeatable: flags & LinkFlag.isRepeatable != 0,
            isForgettable: flags & LinkFlag.isForgettable != 0,
            timeToLiveSeconds: timeToLive == noTimeToLive ? nil : timeToLive, budgetMilliseconds: budget, publishedAt: publishedAt,
            mayBeRepeat: flags & LinkFlag.mayBeRepeat != 0, data: body.readRest())
    }

    /// Keys and payloads stay where they have arrived.
    private static func produce(_ body: inout LinkReader, _ buffer: ByteBuffer) -> LinkProduce? {
        func slice(_ range: Range<Int>?) -> ByteBuffer? {
            range.flatMap { buffer.getSlice(at: buffer.readerIndex + $0.lowerBound, length: $0.count) }
        }
        guard let request = body.readWord(), let flags = body.readInteger(as: UInt8.self),
            let budget = body.readInteger(as: UInt16.self),
            let timeToLive = body.readInteger(as: UInt32.self), let byte = body.readInteger(as: UInt8.self),
            let kind = KeyKind(rawValue: byte), let name = body.readShort(), let keyBytes = body.readInteger(as: UInt16.self),
            let idempotencyKey = slice(body.readRange(length: Int(keyBytes))),
            let data = slice(body.readRange(length: body.readableBytes))
        else { return nil }
        return LinkProduce(
            request: request, restarts: flags & LinkFlag.restarts != 0, kind: kind, name: name, idempotencyKey: idempotencyKey,
            isForgettable: flags & LinkFlag.isForgettable != 0, mayBeRepeat: flags & LinkFlag.mayBeRepeat != 0,
            timeToLiveSeconds: timeToLive == noTimeToLive ? nil : timeToLive, budgetMilliseconds: budget,
            isJSON: flags & LinkFlag.isJSON != 0, data: data)
    }

    private static func receipt(_ body: inout LinkReader) -> (request: UInt64, receipt: Receipt)? {
        guard let request = body.readWord(), let sequence = body.readWord(), let epoch = body.readWord(),
            let byte = body.readInteger(as: UInt8.self), let outcome = Receipt.Outcome(rawValue: byte),
            let flags = body.readInteger(as: UInt8.self), let high = body.readWord(), let low = body.readWord(),
            let owner = body.readShortText()
        else { return nil }
        let receipt = Receipt(
            sequence: sequence, epoch: epoch, owner: owner, outcome: outcome, copies: Receipt.copies(flags: flags),
            durable: flags & LinkFlag.durable != 0, id: MessageID(high: high, low: low), repeated: flags & LinkFlag.repeated != 0)
        return (request, receipt)
    }

    private static func attach(_ body: inout LinkReader) -> LinkFrame? {
        guard let attachment = body.readWord(), let epoch = body.readWord(), let byte = body.readInteger(as: UInt8.self),
            let stay = AttachRequest.Stay(rawValue: byte)
        else { return nil }
        var countMax = UInt16.max
        if stay == .page {
            guard let count = body.readInteger(as: UInt16.self) else { return nil }
            countMax = count
        }
        guard let (start, age) = start(&body, ofPage: stay == .page), let key = key(&body) else { return nil }
        return .attach(attachment: attachment, epoch: epoch, key: key, start, stay, countMax: countMax, ageMilliseconds: age)
    }

    /// Backwards only pages are read.
    private static func start(_ body: inout LinkReader, ofPage isPage: Bool) -> (AttachStart, ageMilliseconds: UInt32)? {
        guard let byte = body.readInteger(as: UInt8.self), let kind = LinkStart(rawValue: byte) else { return nil }
        switch kind {
        case .now: return (.now, 0)
        case .earliest: return (.earliest, 0)
        case .after: return cursor(&body).map { (.after($0), 0) }
        case .newest: return isPage ? (.newest, 0) : nil
        case .before: return isPage ? cursor(&body).map { (.before($0), 0) } : nil
        case .nowSince:
            guard !isPage, let age = body.readInteger(as: UInt32.self), age > 0 else { return nil }
            return (.now, age)
        }
    }

    private static func cursor(_ body: inout LinkReader) -> Cursor? {
        guard let incarnation = body.readWord(), let sequence = body.readWord() else { return nil }
        return Cursor(incarnation: incarnation, sequence: sequence)
    }

    private static func attached(_ body: inout LinkReader) -> LinkFrame? {
        guard let attachment = body.readWord(), let flags = body.readInteger(as: UInt8.self), let incarnation = body.readWord(),
            let from = body.readWord(), let through = body.readWord()
        else { return nil }
        var messages: [StoredMessage] = []
        while body.readableBytes > 0 {
            guard let sequence = body.readWord(), let length = body.readInteger(as: UInt32.self),
                let envelope = body.readBytes(length: Int(length))
            else { return nil }
            messages.append(StoredMessage(sequence: sequence, envelope: envelope))
        }
        let reply = AttachReply(
            incarnation: incarnation, gap: flags & LinkFlag.gap != 0, from: from, through: through, messages: messages,
            isLive: flags & LinkFlag.isLive != 0, hasMore: flags & LinkFlag.hasMore != 0)
        return .attached(attachment: attachment, .success(reply))
    }

    private static func deliver(_ body: inout LinkReader) -> LinkFrame? {
        guard let count = body.readInteger(as: UInt16.self), count >= 1, count <= LinkProtocol.addressesMax else {
            return nil
        }
        var attachments: [UInt64] = []
        attachments.reserveCapacity(Int(count))
        for _ in 0..<count {
            guard let attachment = body.readWord() else { return nil }
            attachments.append(attachment)
        }
        guard let incarnation = body.readWord(), let sequence = body.readWord(),
            let publishedAt = body.readInteger(as: Int64.self)
        else { return nil }
        let message = StoredMessage(sequence: sequence, envelope: body.readRest(), publishedAt: publishedAt)
        return .deliver(attachments: attachments, incarnation: incarnation, message)
    }

    private static func beat(_ body: inout LinkReader) -> (UInt64, Int64, LinkStanding)? {
        guard let query = body.readWord(), let sentAt = body.readInteger(as: Int64.self), let epoch = body.readWord(),
            let digest = body.readWord(), let flags = body.readInteger(as: UInt8.self), let count = body.readInteger(as: UInt8.self),
            Int(count) <= LinkStanding.unreachableMax
        else { return nil }
        var unreachable: [String] = []
        for _ in 0..<count {
            guard let id = body.readShortText(), id.utf8.count <= NodeID.bytesMax else { return nil }
            unreachable.append(id)
        }
        let standing = LinkStanding(
            epoch: epoch, digest: digest, reachesZooKeeper: flags & LinkFlag.reachesZooKeeper != 0,
            isLeaving: flags & LinkFlag.isLeaving != 0, isDraining: flags & LinkFlag.isDraining != 0, unreachable: unreachable)
        return (query, sentAt, standing)
    }

    private static func members(_ body: inout LinkReader) -> LinkFrame? {
        guard let epoch = body.readWord(), let generation = body.readWord(),
            let count = body.readInteger(as: UInt16.self), Int(count) <= MembershipView.membersMax
        else { return nil }
        var members: [Member] = []
        for _ in 0..<count {
            guard let json = body.readShort(), let member = try? Member(json: json) else { return nil }
            members.append(member)
        }
        return .members(epoch: epoch, generation: generation, members)
    }

    private static func problem(_ body: inout LinkReader) -> Problem? { body.readInteger(as: UInt8.self).flatMap(Problem.init(rawValue:)) }

    private static func sender(_ isThere: Bool, _ body: inout LinkReader) -> [UInt8]? {
        if !isThere { return SenderText.nobody }
        return body.readShort().flatMap { !$0.isEmpty && $0.count <= SenderText.bytesMax ? $0 : nil }
    }

    /// Of a publish or a receipt that somebody with a credential brought.
    static func principal(_ isThere: Bool, _ body: inout LinkReader) -> Principal? {
        if !isThere { return .unnamed }
        // What nobody is has one form only.
        return body.readWord().flatMap { $0 == 0 ? nil : Principal(rawValue: $0) }
    }

    /// A peer has checked and placed the name; only its length is looked at here.
    static func key(_ body: inout LinkReader) -> Key? {
        guard let byte = body.readInteger(as: UInt8.self), let kind = KeyKind(rawValue: byte), let hash = body.readWord(),
            let name = body.readShort(), !name.isEmpty, name.count <= (kind == .user ? Key.userBytesMax : Key.channelBytesMax)
        else { return nil }
        return Key(kind, trusted: name, hash: KeyHash(rawValue: hash))
    }
}
