// Link frames there and back: whole, byte by byte and in random pieces; every bound; and 20,000 mutated frames, none of
// which may crash the decoder or bring a frame beyond its bounds. What the frames mean is tested with the nodes.
import HashRing
import NIOCore
import RingpostCore
import Testing

@testable import RingpostWire

@Suite struct LinkCodecTests {
    private static let user = Key(.user, trusted: Array("ann".utf8), hash: KeyHash(rawValue: 0x0102_0304_0506_0708))
    private static let channel = Key(.channel, trusted: Array(repeating: 0x78, count: 255), hash: KeyHash(rawValue: .max))
    private static let id = MessageID(high: 0x11, low: .max)

    private static let proof = LinkProof(Array(0..<32)) ?? { preconditionFailure("32 bytes are a proof") }()

    private static func forward(
        _ key: Key = user, hops: UInt8 = 1, timeToLive: UInt32? = nil, budget: UInt16 = 10_000, data: String = "1",
        principal: UInt64 = 0, from: [UInt8] = []
    ) -> LinkForward {
        LinkForward(
            request: 1 << 32, epoch: 77, hops: hops, restarts: hops == 2, key: key, id: id, principal: Principal(rawValue: principal),
            from: from, isRepeatable: hops == 1,
            isForgettable: timeToLive == nil, timeToLiveSeconds: timeToLive, budgetMilliseconds: budget, publishedAt: 1_700_000_000_000_000,
            data: Array(data.utf8))
    }

    private static func attached(_ messages: [StoredMessage], gap: Bool, isLive: Bool) -> LinkFrame {
        let reply = AttachReply(
            incarnation: 5, gap: gap, from: 1, through: 3, messages: messages, isLive: isLive, hasMore: !isLive)
        return .attached(attachment: 8, .success(reply))
    }

    private static func receipt(mirrored: Bool, durable: Bool = false, repeated: Bool, _ outcome: Receipt.Outcome) -> LinkFrame {
        let receipt = Receipt(
            sequence: 9, epoch: 8, owner: "node-ä", outcome: outcome, mirrored: mirrored, durable: durable, id: id, repeated: repeated)
        return .answer(request: 3, .success(receipt), message: nil)
    }

    /// At least one frame of every kind and every variant.
    private static let frames: [LinkFrame] =
        [
            .hello(LinkHello(role: .node, cluster: "prod", generation: 1, from: "a", boot: 2, to: "b", toBoot: 3, line: 4, dial: 5)),
            .hello(LinkHello(role: .producer, cluster: "", generation: 0, from: "für dich", boot: 0, to: "", toBoot: 0)),
            .hello(LinkHello(role: .probe, cluster: "x", generation: 0, from: "", boot: 0, to: "", toBoot: 0)),
            .hello(
                LinkHello(
                    role: .producer, cluster: "", generation: 0, from: "p", boot: 0, to: "", toBoot: 0, nonce: LinkNonce((1, 2, 3, .max)),
                    credential: String(repeating: "k", count: LinkProtocol.credentialBytesMax))),
            .challenge(LinkNonce((1, 2, 3, 4)), proof), .proof(proof),
            .welcome(LinkWelcome(node: "b", boot: 3, epoch: .max, payloadBytesMax: 1 << 20)),
            .refuse("another cluster"), .refuse(""),
            .forward(forward()), .forward(forward(channel, hops: 2, timeToLive: 0, budget: 0, data: "")),
            .forward(forward(timeToLive: Publish.timeToLiveSecondsMax, data: "{\"a\":[1,2,3]}")),
            .forward(forward(principal: .max)),
            .forward(forward(channel, data: "", principal: 3, from: SenderText.user(Array("bob".utf8)))),
            .forward(forward(data: "", from: Array(repeating: 0x20, count: SenderText.bytesMax))),
            .produce(LinkProduce(request: 1, kind: .user, name: [0xFF], isJSON: true, data: [])),
            .produce(
                LinkProduce(
                    request: .max, restarts: true, kind: .channel, name: [], idempotencyKey: [1, 2, 3], isForgettable: true,
                    mayBeRepeat: true, timeToLiveSeconds: 5,
                    budgetMilliseconds: 60_000, isJSON: false, data: [0, 1, 2])),
            receipt(mirrored: false, repeated: true, .stored), receipt(mirrored: true, repeated: false, .delivered),
            receipt(mirrored: true, durable: true, repeated: true, .unknown),
            receipt(mirrored: false, durable: true, repeated: false, .dropped),
            .answer(
                request: 3, .success(Receipt(sequence: 9, epoch: 8, owner: "n", outcome: .stored, copies: 3, id: id)), message: nil),
            .answer(
                request: 3, .success(Receipt(sequence: 9, epoch: 8, owner: "n", outcome: .stored, copies: 3, durable: true, id: id)),
                message: nil),
            .answer(request: 4, .failure(.badName), message: "the name is empty"),
            .attach(attachment: 1, epoch: 2, key: user, .now, .never), .attach(attachment: 1, epoch: 2, key: user, .earliest, .always),
            .attach(attachment: 1, epoch: 2, key: channel, .after(Cursor(incarnation: 3, sequence: 4)), .ifEmpty),
            .attach(attachment: 1, epoch: 2, key: user, .now, .always, ageMilliseconds: 1),
            .attach(attachment: 1, epoch: 2, key: channel, .now, .ifEmpty, ageMilliseconds: .max),
            .attach(attachment: 1, epoch: 2, key: user, .newest, .page, countMax: 0),
            .attach(attachment: 1, epoch: 2, key: channel, .before(Cursor(incarnation: 3, sequence: .max)), .page, countMax: 1_000),
            .attach(attachment: 1, epoch: 2, key: user, .after(Cursor(incarnation: 3, sequence: 4)), .page, countMax: .max),
            attached([], gap: true, isLive: true),
            attached(
                [StoredMessage(sequence: 2, envelope: [0x7B, 0x7D]), StoredMessage(sequence: 3, envelope: [])], gap: false, isLive: false),
            .detach(attachment: 1, key: user), .detached(attachment: 2),
            .presenceReport(attachment: 1, key: channel, PresenceReport(isWhole: true, others: .max, listeners: [])),
            .presenceReport(
                attachment: .max, key: channel,
                PresenceReport(
                    isWhole: false, wantsNews: true, wantsList: true, others: 0,
                    listeners: [
                        .init(user: [0x61], count: PresenceCount(sockets: 3)),
                        .init(user: Array(repeating: 0x62, count: 256), count: PresenceCount(sockets: 0, lingers: true)),
                    ])),
            .presenceNews(attachment: 1, PresenceNews(isWhole: true, subscribers: 0, joined: [])),
            .presenceNews(attachment: 1, PresenceNews(isWhole: false, subscribers: .max, joined: [[0x61]], left: [[0x62], [0x63]])),
            .deliver(attachments: [1], incarnation: 2, StoredMessage(sequence: 3, envelope: [0x7B, 0x7D], publishedAt: 4)),
            .deliver(
                attachments: Array(0..<UInt64(LinkProtocol.addressesMax)), incarnation: 2, StoredMessage(sequence: 3, envelope: [])),
            .ask(request: 1, .key, argument: [0x75, 0x61]), .ask(request: 1, .status, argument: []), .told(request: 1, json: [0x7B, 0x7D]),
        ]
        + Problem.allCases.flatMap {
            [LinkFrame.answer(request: 5, .failure($0), message: nil), .attached(attachment: 6, .failure($0))]
        } + SlotFrameSamples.all + RingFrameSamples.all

    private static func bytes(_ frames: [LinkFrame]) -> ByteBuffer {
        var buffer = ByteBuffer()
        for frame in frames { LinkEncoder.write(frame, into: &buffer) }
        return buffer
    }

    private static func decoder() -> LinkDecoder {
        var decoder = LinkDecoder()
        decoder.frameBytesMax = LinkProtocol.frameBytesMax
        return decoder
    }

    /// The error that the bytes of one frame bring; "" for none.
    private func fault(_ frame: LinkFrame, _ change: (inout ByteBuffer) -> Void = { _ in }) -> String {
        var buffer = Self.bytes([frame])
        change(&buffer)
        do throws(LinkError) {
            _ = try Self.decoder().next(&buffer)
            return ""
        } catch {
            return error.description
        }
    }

    /// Only the version is read of it: the rest may look different there.
    @Test func helloOfAnotherVersion() throws {
        let hello = LinkHello(version: 9, role: .producer, cluster: "c", generation: 1, from: "p", boot: 2, to: "n1", toBoot: 3)
        var buffer = Self.bytes([.hello(hello)])
        guard case .hello(let read)? = try Self.decoder().next(&buffer) else {
            Issue.record("no hello")
            return
        }
        #expect(read.version == 9)
        #expect(read.from.isEmpty)
        #expect(buffer.readableBytes == 0)
    }

    @Test func aCredentialHasABound() {
        let hello = LinkHello(
            role: .producer, cluster: "", generation: 0, from: "p", boot: 0, to: "", toBoot: 0,
            credential: String(repeating: "k", count: LinkProtocol.credentialBytesMax + 1))
        #expect(fault(.hello(hello)).contains("a broken hello frame"))
    }

    // MARK: There and back

    @Test(arguments: frames) func roundTrip(frame: LinkFrame) throws {
        var buffer = Self.bytes([frame])
        #expect(try Self.decoder().next(&buffer) == frame)
        #expect(buffer.readableBytes == 0)
        #expect(try Self.decoder().next(&buffer) == nil)
    }

    @Test func byteByByteIsTheSameAsWhole() throws {
        var input = ByteBuffer()
        var decoded: [LinkFrame] = []
        for byte in Self.bytes(Self.frames).readableBytesView {
            input.writeInteger(byte)
            while let frame = try Self.decoder().next(&input) { decoded.append(frame) }
        }
        #expect(decoded == Self.frames)
        #expect(input.readableBytes == 0)
    }

    @Test(arguments: 1...20) func piecesAreTheSameAsWhole(seed: UInt64) throws {
        var dice = SplitMix64(seed: seed)
        var bytes = Self.bytes(Self.frames)
        var input = ByteBuffer()
        var decoded: [LinkFrame] = []
        while bytes.readableBytes > 0 {
            let length = min(Int.random(in: 1...300, using: &dice), bytes.readableBytes)
            let piece = bytes.readSlice(length: length)
            input.writeImmutableBuffer(try #require(piece))
            while let frame = try Self.decoder().next(&input) { decoded.append(frame) }
            input.discardReadBytes()
        }
        #expect(decoded == Self.frames, "seed \(seed)")
    }

    // MARK: Bounds

    @Test func lengthsAreCheckedBeforeTheBodyArrives() throws {
        var buffer = ByteBuffer()
        buffer.writeInteger(UInt32(LinkProtocol.frameBytesMax), endianness: .little)
        #expect(try Self.decoder().next(&buffer) == nil)
        buffer.setInteger(UInt32(LinkProtocol.frameBytesMax + 1), at: 0, endianness: .little)
        #expect(throws: LinkError("a frame of 2097153 bytes; at most 2097152 are allowed")) { try Self.decoder().next(&buffer) }
        buffer.setInteger(UInt32.max, at: 0, endianness: .little)
        #expect(throws: LinkError.self) { try Self.decoder().next(&buffer) }
        buffer.setInteger(UInt32(0), at: 0, endianness: .little)
        #expect(throws: LinkError.self) { try Self.decoder().next(&buffer) }
    }

    @Test func strangersGetShorterFrames() throws {
        var buffer = ByteBuffer()
        buffer.writeInteger(UInt32(LinkProtocol.handshakeBytesMax), endianness: .little)
        #expect(try LinkDecoder().next(&buffer) == nil)
        buffer.setInteger(UInt32(LinkProtocol.handshakeBytesMax + 1), at: 0, endianness: .little)
        #expect(throws: LinkError("a frame of 1025 bytes; at most 1024 are allowed")) { try LinkDecoder().next(&buffer) }
    }

    @Test func aLongRefusalIsCutSoThatAStrangerCanReadIt() throws {
        for padding in 0...3 {
            let sentence = String(repeating: "x", count: padding) + String(repeating: "€", count: 700)
            var buffer = Self.bytes([.refuse(sentence)])
            guard case .refuse(let read) = try LinkDecoder().next(&buffer) else { throw LinkError("no refusal") }
            #expect(read.utf8.count > 1_000 && sentence.hasPrefix(read.dropLast()))
        }
    }

    @Test(arguments: [0, 3, 255]) func hops(hops: UInt8) { #expect(fault(.forward(Self.forward(hops: hops))) == "a broken forward frame") }

    @Test(arguments: SlotFrameSamples.beyondBounds) func numbersThatCountNothing(frame: SlotFrame) {
        #expect(fault(.slot(frame)).hasPrefix("a broken slot"))
    }

    @Test func sendersAndPrincipals() {
        let long = Array(repeating: UInt8(ascii: " "), count: SenderText.bytesMax + 1)
        #expect(fault(.forward(Self.forward(from: long))) == "a broken forward frame")
        let principal = LinkFrame.forward(Self.forward(data: "", principal: 1))
        #expect(fault(principal) { $0.setInteger(UInt64(0), at: $0.writerIndex - 8) } == "a broken forward frame", "nobody has one form")
        let from = LinkFrame.forward(Self.forward(data: "", from: [0x7B]))
        #expect(fault(from) { $0.setInteger(UInt16(0), at: $0.writerIndex - 3) } == "a broken forward frame", "nobody has one form")
        var without = ByteBuffer()
        LinkEncoder.write(.forward(Self.forward()), into: &without)
        #expect(without.readableBytes == 4 + 60 + 3 + 1, "who has none costs nothing")
    }

    @Test func budgetsAndTimesToLive() {
        #expect(fault(.forward(Self.forward(budget: 10_001))) == "a broken forward frame")
        #expect(fault(.forward(Self.forward(timeToLive: Publish.timeToLiveSecondsMax + 1))) == "a broken forward frame")
        #expect(fault(.forward(Self.forward(timeToLive: .max - 1))) == "a broken forward frame")
    }

    @Test(arguments: [(KeyKind.user, 0), (.user, 257), (.channel, 0), (.channel, 256)])
    func names(kind: KeyKind, length: Int) {
        let key = Key(kind, trusted: Array(repeating: 0x61, count: length), hash: KeyHash(rawValue: 1))
        #expect(fault(.forward(Self.forward(key))) == "a broken forward frame")
        #expect(fault(.detach(attachment: 1, key: key)) == "a broken detach frame")
        #expect(fault(.attach(attachment: 1, epoch: 1, key: key, .now, .never)) == "a broken attach frame")
        // Only a page is read backwards.
        for start in [AttachStart.newest, .before(Cursor(incarnation: 1, sequence: 2))] {
            #expect(fault(.attach(attachment: 1, epoch: 1, key: Self.user, start, .always)) == "a broken attach frame")
        }
    }

    @Test func theAgeOfAnAttachment() {
        let young = LinkFrame.attach(attachment: 1, epoch: 1, key: Self.user, .now, .always)
        let old = LinkFrame.attach(attachment: 1, epoch: 1, key: Self.user, .now, .always, ageMilliseconds: 0x0102_0304)
        #expect(Self.bytes([old]).readableBytes == Self.bytes([young]).readableBytes + 4)
        let start = 4 + 1 + 16 + 1
        #expect(Array(Self.bytes([young]).readableBytesView)[start] == 0)
        #expect(Array(Self.bytes([old]).readableBytesView)[start..<start + 5] == [5, 4, 3, 2, 1])
        #expect(fault(old) { $0.setInteger(UInt32(0), at: start + 1) } == "a broken attach frame", "said in one way only")
        #expect(fault(old) { $0.setInteger(AttachRequest.Stay.page.rawValue, at: start - 1) } == "a broken attach frame")
        // An age means something only where nothing else says where to begin.
        let earliest = LinkFrame.attach(attachment: 1, epoch: 1, key: Self.user, .earliest, .always, ageMilliseconds: 7)
        #expect(Self.bytes([earliest]) == Self.bytes([.attach(attachment: 1, epoch: 1, key: Self.user, .earliest, .always)]))
    }

    @Test func presenceNames() {
        let listeners = (0...LinkProtocol.presenceNamesMax).map {
            PresenceReport.Listener(user: [UInt8($0 & 0x7F | 1)], count: .init(sockets: 1))
        }
        let key = Key(.channel, trusted: [0x61], hash: KeyHash(rawValue: 1))
        let many = PresenceReport(isWhole: true, others: 0, listeners: listeners)
        #expect(fault(.presenceReport(attachment: 1, key: key, many)) == "a broken presenceReport frame")
        let news = PresenceNews(isWhole: true, subscribers: 1, joined: listeners.map(\.user))
        #expect(fault(.presenceNews(attachment: 1, news)) == "a broken presenceNews frame")
        #expect(
            fault(.presenceNews(attachment: 1, PresenceNews(isWhole: true, subscribers: 1, joined: [[]]))) == "a broken presenceNews frame")
    }

    @Test func unknownTypes() {
        let types = Set((0...UInt8.max).filter { fault(.detached(attachment: 1), setType($0)) != "a frame of unknown type \($0)" })
        let known: [UInt8] = [
            0x01, 0x02, 0x03, 0x04, 0x05, 0x10, 0x11, 0x12, 0x13, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x30, 0x31, 0x40, 0x41,
            0x42,
        ]
        #expect(types == Set(known + Array(0x50...0x5E)))
    }

    private func setType(_ type: UInt8) -> (inout ByteBuffer) -> Void { { $0.setInteger(type, at: 4) } }

    @Test func wrongMagicTextsAndNumbers() {
        #expect(fault(Self.frames[0]) { $0.setInteger(UInt8(0), at: 5) } == "a broken hello frame")
        #expect(fault(Self.frames[0]) { $0.setInteger(UInt8(4), at: 11) } == "a broken hello frame", "an unknown role")
        #expect(fault(.refuse("é")) { $0.setInteger(UInt8(0x61), at: 8) } == "a broken refuse frame", "not UTF-8")
        #expect(fault(.answer(request: 1, .failure(.retry), message: nil)) { $0.setInteger(UInt8(99), at: 13) } == "a broken refusal frame")
        #expect(fault(.attached(attachment: 1, .failure(.retry))) { $0.setInteger(UInt8(0), at: 13) } == "a broken attachRefused frame")
        #expect(fault(.ask(request: 1, .key, argument: [])) { $0.setInteger(UInt8(0), at: 13) } == "a broken ask frame")
    }

    @Test func countsOfAttachments() {
        let message = StoredMessage(sequence: 1, envelope: Array(repeating: 0, count: 9_000))
        let frame = LinkFrame.deliver(attachments: [1], incarnation: 1, message)
        for count in [0, LinkProtocol.addressesMax + 1, Int(UInt16.max)] {
            #expect(fault(frame) { $0.setInteger(UInt16(count), at: 5, endianness: .little) } == "a broken deliver frame")
        }
        #expect(fault(frame) { $0.setInteger(UInt16(LinkProtocol.addressesMax), at: 5, endianness: .little) } == "")
    }

    @Test func aReplysMessagesStayInTheirFrame() {
        let frame = Self.attached([StoredMessage(sequence: 2, envelope: [0x7B, 0x7D])], gap: false, isLive: true)
        let index = 4 + 1 + 8 + 1 + 24 + 8
        for length: UInt32 in [1, 3, .max] {
            #expect(fault(frame) { $0.setInteger(length, at: index, endianness: .little) } == "a broken attached frame")
        }
    }

    /// The body is cut at every place: fewer bytes must not make another valid frame, except where the rest is a payload.
    @Test(arguments: frames) func truncatedFields(frame: LinkFrame) throws {
        let whole = Self.bytes([frame])
        for length in 1..<min(whole.readableBytes - 4, 200) {
            var buffer = try #require(whole.getSlice(at: 0, length: 4 + length))
            buffer.setInteger(UInt32(length), at: 0, endianness: .little)
            guard let decoded = try? Self.decoder().next(&buffer) else { continue }
            switch decoded {
            case .forward, .produce, .deliver, .ask, .told: break
            case .attached(_, .success(let reply)): #expect(reply.messages.count < 2)
            // Lists that end at their frame's end: one that is cut between two of its parts is a shorter list.
            case .slot(.inquire(_, let slots)): #expect(slots.count < 3)
            case .slot(.holdings(_, let holdings)): #expect(holdings.count < 4)
            case .slot(.adopt(let adoptions)): #expect(adoptions.count < 2)
            case .slot(.snapshots(let fills)): #expect(fills.count < 2)
            case .slot(.release(let slots)): #expect(slots.count < 2)
            case .slot(.released(let slots)): #expect(slots.count < 2)
            case .slot(.keepers(let slots)): #expect(slots.count < 2)
            case .slot(.retained(_, let holdings)): #expect(holdings.isEmpty)
            case .slot(.acknowledgeCopies(let positions)): #expect(positions.count < 2)
            case .slot(.chunk(_, _, .some(let piece))): #expect(piece.items.count < 6)
            default: Issue.record("\(length) bytes of \(frame) became \(decoded)")
            }
        }
    }

    @Test(arguments: frames) func trailingBytes(frame: LinkFrame) {
        let problem = fault(frame) { buffer in
            buffer.writeInteger(UInt8(0))
            buffer.setInteger(UInt32(buffer.readableBytes - 4), at: 0, endianness: .little)
        }
        switch frame {
        case .forward, .produce, .deliver, .ask, .told: #expect(problem == "", "a longer payload")
        default: #expect(!problem.isEmpty)
        }
    }

    // MARK: Mutations

    @Test func mutatedFramesNeverCrashAndStayWithinBounds() {
        var decodedCount = 0
        for seed: UInt64 in 0..<20_000 {
            var dice = SplitMix64(seed: seed)
            let frame = Self.frames[Int.random(in: Self.frames.indices, using: &dice)]
            var buffer = Self.bytes([frame])
            for _ in 0..<Int.random(in: 1...4, using: &dice) {
                let index = Int.random(in: 0..<min(buffer.writerIndex, 64), using: &dice)
                let byte: UInt8 = [0, 1, 0x7F, 0xFF, UInt8.random(in: 0...255, using: &dice)][Int.random(in: 0...4, using: &dice)]
                buffer.setInteger(byte, at: index)
            }
            if Bool.random(using: &dice) { buffer.setInteger(UInt32(buffer.writerIndex - 4), at: 0, endianness: .little) }
            guard let decoded = try? Self.decoder().next(&buffer) else { continue }
            decodedCount += 1
            #expect(isWithinBounds(decoded), "seed \(seed)")
            // What was decoded can be encoded, and means the same again.
            var again = Self.bytes([decoded])
            #expect((try? Self.decoder().next(&again)) == decoded, "seed \(seed)")
        }
        #expect(decodedCount > 4_000)
    }

    private func isWithinBounds(_ key: Key) -> Bool {
        (1...(key.kind == .user ? Key.userBytesMax : Key.channelBytesMax)).contains(key.name.count)
    }

    private func isWithinBounds(_ frame: LinkFrame) -> Bool {
        switch frame {
        case .forward(let forward):
            isWithinBounds(forward.key) && (1...2).contains(forward.hops) && forward.budgetMilliseconds <= 10_000
                && forward.timeToLiveSeconds ?? 0 <= Publish.timeToLiveSecondsMax && forward.from.count <= SenderText.bytesMax
        case .attach(_, _, let key, _, _, _, _), .detach(_, let key): isWithinBounds(key)
        case .presenceReport(_, let key, let report):
            isWithinBounds(key) && report.listeners.count <= LinkProtocol.presenceNamesMax
                && report.listeners.allSatisfy { (1...Key.userBytesMax).contains($0.user.count) }
        case .presenceNews(_, let news):
            news.joined.count + news.left.count <= LinkProtocol.presenceNamesMax
                && (news.joined + news.left).allSatisfy { (1...Key.userBytesMax).contains($0.count) }
        case .deliver(let attachments, _, _): (1...LinkProtocol.addressesMax).contains(attachments.count)
        default: true
        }
    }
}
