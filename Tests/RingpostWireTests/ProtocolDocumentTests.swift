// What docs/protocol says, held against the codecs and the tables of the program: who writes a client from it writes one that works.
import Foundation
import HashRing
import NIOCore
import RingpostCore
import TestSupport
import Testing

@testable import RingpostWire

@Suite struct ClientProtocolDocumentTests {
    private static let path = "docs/protocol/clients.md"
    private let hasher: KeyHasher
    private let rows: [Substring]

    init() throws {
        hasher = KeyHasher(seed: try #require(SipKey(bytes: [UInt8](repeating: 7, count: 16))))
        rows = Markdown.lines(try Documents.text(Self.path)).filter { $0.hasPrefix("|") }
    }

    /// Rows of tables with this in their first cell.
    private func rows(_ first: String) -> [Substring] {
        rows.filter { row in row.split(separator: "|").first?.split(separator: ",").contains { $0.contains(first) } == true }
    }

    @Test func commandsOfClientsAreRead() throws {
        var kinds: Set<String> = []
        for line in try Documents.lines(Self.path, "json", "client") {
            switch try ClientCommand(ByteBuffer(string: line), hasher: hasher, payloadBytesMax: 65_536) {
            case .subscribe: kinds.insert("subscribe")
            case .unsubscribe: kinds.insert("unsubscribe")
            case .publish(let message, _):
                _ = try message.get()
                kinds.insert("publish")
            case .token: kinds.insert("token")
            }
        }
        #expect(kinds == ["subscribe", "unsubscribe", "publish", "token"])
    }

    @Test func linesOfBatchesAreRead() throws {
        let lines = try Documents.lines(Self.path, "json", "batch")
        #expect(lines.count >= 2)
        for line in lines { _ = try BatchLine(Array(line.utf8), hasher: hasher, payloadBytesMax: 65_536) }
    }

    @Test(arguments: CloseReason.allCases)
    func everyCloseCodeHasItsRow(reason: CloseReason) {
        let row = "| \(reason.webSocketCode) | `\(reason.code)` | \(reason.advice.rawValue) |"
        #expect(rows.contains { $0.hasPrefix(row) }, "\(row)")
    }

    @Test(arguments: Problem.allCases)
    func everyErrorStandsAtItsStatus(problem: Problem) {
        #expect(rows("\(problem.status)").contains { $0.contains("`\(problem.code)`") }, "\(problem.status) \(problem.code)")
    }

    /// Their table has no list of them, so it is read from its source.
    @Test func everyReasonToRefuseARequestStandsAtItsStatus() throws {
        let source = try Documents.text("Sources/RingpostWire/HTTP/HTTPRequestError.swift")
        let reasons = source.matches(of: #/HTTPRequestError\(\s*(\d{3}), "(\w+)"/#)
        #expect(reasons.count >= 30)
        for reason in reasons {
            #expect(rows(String(reason.1)).contains { $0.contains("`\(reason.2)`") }, "\(reason.1) \(reason.2)")
        }
    }

    @Test func boundsAreThoseOfTheProgram() throws {
        let text = try Documents.text(Self.path)
        let point = Cursor.textBytesMax + 32 * (1 + 16 + 1 + Cursor.textBytesMax)
        for said in [
            "A message's cursor has at most \(Cursor.textBytesMax) bytes", "A user id has 1 to \(Key.userBytesMax) bytes",
            "a channel name 1 to \(Key.channelBytesMax)", "any JSON of at most \(ClientCommand.referenceBytesMax) bytes",
            "close reason has at most \(Disconnect.webSocketReasonBytesMax) bytes",
        ] {
            #expect(text.replacing("\n", with: " ").contains(said), "\(said)")
        }
        #expect(text.filter { $0 != "," }.contains("at most \(point)."))
    }
}

@Suite struct LinkProtocolDocumentTests {
    private static let path = "docs/protocol/links.md"

    private static func frame(_ name: String) throws -> (bytes: [UInt8], frame: LinkFrame) {
        let words = try Documents.lines(path, "hex", name).flatMap { $0.split(separator: " ") }
        let bytes = try words.map { try #require(UInt8($0, radix: 16), "\($0)") }
        var buffer = ByteBuffer(bytes: bytes)
        let frame = try #require(try LinkDecoder().next(&buffer), "\(name) is not whole")
        #expect(buffer.readableBytes == 0, "\(name) has more than a frame")
        return (bytes, frame)
    }

    @Test(arguments: ["hello", "welcome", "produce", "receipt", "refusal", "ping"])
    func framesAreWhatTheCodecWrites(name: String) throws {
        let (bytes, frame) = try Self.frame(name)
        var written = ByteBuffer()
        LinkEncoder.write(frame, into: &written)
        #expect(Array(written.readableBytesView) == bytes)
    }

    @Test func framesSayWhatIsSaidOfThem() throws {
        #expect(
            try Self.frame("hello").frame
                == .hello(LinkHello(role: .producer, cluster: "", generation: 0, from: "orders", boot: 0, to: "", toBoot: 0)))
        #expect(
            try Self.frame("welcome").frame
                == .welcome(LinkWelcome(node: "n1", boot: 0x0123_4567_89AB_CDEF, epoch: 12, payloadBytesMax: 65_536)))
        guard case .produce(let produce) = try Self.frame("produce").frame else { throw LinkError("no produce frame") }
        #expect(produce.name == Array("alice".utf8) && produce.kind == .user && produce.isJSON)
        #expect(produce.idempotencyKey == ByteBuffer(string: "m1") && produce.data == ByteBuffer(string: "\"hello\""))
        #expect(produce.budgetMilliseconds == 10_000 && produce.timeToLiveSeconds == nil)
        let id = MessageID(high: 0x5F0C_7A3B_9D1E_48C2, low: 0x6A5B_0F9E_8D7C_6B5A)
        let receipt = Receipt(sequence: 42, epoch: 12, owner: "n2", outcome: .delivered, mirrored: true, id: id)
        #expect(try Self.frame("receipt").frame == .answer(request: 1, .success(receipt), message: nil))
        #expect(try Self.frame("refusal").frame == .answer(request: 2, .failure(.badName), message: "the name is empty"))
        let standing = LinkStanding(epoch: 0, digest: 0, reachesZooKeeper: false, isLeaving: false)
        #expect(try Self.frame("ping").frame == .ping(query: 1, sentAt: 1_000, standing))
    }

    @Test func everyFrameHasItsNumber() throws {
        let text = try Documents.text(Self.path)
        let types = (UInt8.min...UInt8.max).compactMap { byte in LinkFrameType(rawValue: byte).map { (byte, $0) } }
        #expect(types.count >= 30)
        for (byte, type) in types {
            let digits = (byte < 16 ? "0" : "") + String(byte, radix: 16)
            #expect(text.contains("`\(digits)`"), "\(digits) \(type)")
        }
    }

    @Test(arguments: Problem.allCases)
    func everyProblemHasItsNumber(problem: Problem) throws {
        #expect(
            try Documents.text(Self.path).contains("| \(problem.rawValue) | `\(problem.code)` |"), "\(problem.rawValue) \(problem.code)")
    }

    @Test func versionAndBoundsAreThoseOfTheProgram() throws {
        let text = try Documents.text(Self.path).filter { $0 != "," }
        for said in [
            "This is version \(LinkProtocol.version).", "1 to \(LinkProtocol.frameBytesMax)", "at most \(LinkProtocol.handshakeBytesMax)",
            "the API key at most \(LinkProtocol.credentialBytesMax) bytes", "`count u16` (1 to \(LinkProtocol.addressesMax))",
            "`count u16` (\(LinkProtocol.presenceNamesMax) at most)", "\(LinkStanding.unreachableMax) at most",
            "seconds \(Publish.timeToLiveSecondsMax) at most",
        ] {
            #expect(text.contains(said), "\(said)")
        }
    }
}
