// Bodies of requests: who may not ask, is told so by the head, and nothing of its body is kept; those who may hold no more than their share.
import Crypto
import Foundation
import NIOCore
import NIOEmbedded
import RingpostCore
import RingpostWire
import TestSupport
import Testing

@testable import RingpostNode

@Suite struct HTTPBodyTests {
    /// A node whose keys `a` and `b` may publish, and `r` may read.
    private struct Keyed {
        let node: EmbeddedNode
        private let folder: TemporaryFolder

        init(_ configure: (inout NodeConfiguration) -> Void = { _ in }) throws {
            let folder = try TemporaryFolder("body-keys")
            let lines = [("a", "publish-users"), ("b", "publish-users"), ("r", "read")].map { letter, scope in
                let hash = SHA256.hash(data: Data(Self.repeated(letter, APIKeyText.secretBytes).utf8)).map { String(format: "%02x", $0) }
                return
                    #"{"id":"\#(Self.repeated(letter, APIKeyText.idBytes))","hash":"sha256:\#(hash.joined())","scopes":["\#(scope)"]}"#
            }
            try folder.write(lines.joined(separator: "\n"), to: "keys.jsonl")
            node = try EmbeddedNode {
                $0.auth.apiKeysFile = folder.file("keys.jsonl")
                configure(&$0)
            }
            try node.shard.context.apiKeys?.load()
            self.folder = folder
        }

        /// There are no keys any more.
        func removeKeys() throws {
            try folder.write("# none\n", to: "keys.jsonl")
            try node.shard.context.apiKeys?.load()
        }

        static func repeated(_ letter: String, _ count: Int) -> String { String(repeating: letter, count: count) }

        func connection() throws -> (HTTPConnection, EmbeddedChannel) {
            let connection = HTTPConnection(routes: APIRoutes(shard: node.shard), shard: node.shard)
            return (connection, try node.connect(connection))
        }
    }

    private static func head(_ path: String, _ letter: String?, _ more: String) -> String {
        let key = letter.map {
            "Authorization: Bearer rp_\(Keyed.repeated($0, APIKeyText.idBytes))_\(Keyed.repeated($0, APIKeyText.secretBytes))\r\n"
        }
        return "POST \(path) HTTP/1.1\r\nHost: x\r\n\(key ?? "")\(more)\r\n"
    }

    private static let publish = "/v1/users/alice/messages"

    // MARK: At the head

    @Test(arguments: [(nil, 401), ("z", 401), ("r", 403)] as [(String?, Int)])
    func whoMayNotIsToldSoBeforeItsBodyComes(letter: String?, status: Int) throws {
        let keyed = try Keyed()
        for more in ["Content-Length: 1000000\r\n", "Content-Length: 5\r\nExpect: 100-continue\r\n"] {
            let (connection, channel) = try keyed.connection()
            try channel.arrive(Self.head("/v1/messages", letter, more))
            let answer = try channel.leaving()
            #expect(answer.hasPrefix("HTTP/1.1 \(status) ") && answer.contains("Connection: close\r\n"), "\(answer)")
            try channel.arrive(String(repeating: "x", count: 20_000))
            #expect(connection.input.readableBytes == 0 && connection.arriving == nil)
            #expect(try channel.leaving().isEmpty)
        }
        #expect(keyed.node.shard.runtime.bodies.bytes == 0)
    }

    @Test func whoSendsOnAndOnAfterItsRefusalIsNotReadForLong() throws {
        let keyed = try Keyed()
        let (_, channel) = try keyed.connection()
        // As with a socket, only the sending side is closed at first.
        try channel.pipeline.syncOperations.addHandler(HalfCloser(), position: .first)
        try channel.arrive(Self.head("/v1/messages", nil, "Content-Length: 4000000\r\n"))
        #expect(try channel.leaving().hasPrefix("HTTP/1.1 401 ") && channel.isActive)
        try channel.arrive([UInt8](repeating: 0, count: Connection.droppedBytesMax))
        #expect(channel.isActive)
        try channel.arrive([0])
        #expect(!channel.isActive)
    }

    @Test func ofASmallBodyThatIsRefusedNothingIsKeptAndTheConnectionGoesOn() throws {
        let keyed = try Keyed()
        let (connection, channel) = try keyed.connection()
        try channel.arrive(Self.head(Self.publish, nil, "Content-Length: 60000\r\n"))
        try channel.arrive(String(repeating: "x", count: 30_000))
        #expect(connection.arriving?.bodyBytes == 30_000 && connection.arriving?.heldBytes == 0)
        #expect(try channel.leaving().isEmpty)
        try channel.arrive(String(repeating: "x", count: 30_000) + Self.head(Self.publish, "a", "Content-Length: 1\r\n") + "x")
        let answers = try channel.leaving().components(separatedBy: "HTTP/1.1 ").dropFirst().map { $0.prefix(3) }
        #expect(answers == ["401", "200"])
    }

    @Test func chunksThatAreRefusedAreSkippedUpToABound() throws {
        let keyed = try Keyed()
        let (_, channel) = try keyed.connection()
        try channel.arrive(Self.head(Self.publish, nil, "Transfer-Encoding: chunked\r\n"))
        let chunk = "8000\r\n" + String(repeating: "x", count: 0x8000) + "\r\n"
        try channel.arrive(chunk + chunk)
        #expect(try channel.leaving().isEmpty)
        try channel.arrive(chunk)
        let answer = try channel.leaving()
        #expect(answer.hasPrefix("HTTP/1.1 401 ") && answer.contains("Connection: close\r\n"), "\(answer)")
    }

    /// What counts is the key as it stands when the body is there.
    @Test(arguments: [publish, "/v1/messages"]) func aKeyThatIsTakenAwayWhileTheBodyComes(path: String) throws {
        let keyed = try Keyed()
        let (_, channel) = try keyed.connection()
        let body = #"{"user":"alice","data":1}"#
        try channel.arrive(Self.head(path, "a", "Content-Length: \(body.utf8.count)\r\n") + body.dropLast())
        try keyed.removeKeys()
        try channel.arrive(String(body.suffix(1)))
        let answer = try channel.leaving()
        #expect(answer.hasPrefix("HTTP/1.1 401 "), "\(answer)")
    }

    @Test func whoIsAskedToGoOnMay() throws {
        let keyed = try Keyed()
        let (_, channel) = try keyed.connection()
        try channel.arrive(Self.head(Self.publish, "a", "Content-Length: 2\r\nExpect: 100-continue\r\n"))
        #expect(try channel.leaving().hasPrefix("HTTP/1.1 100 "))
        try channel.arrive("hi")
        #expect(try channel.leaving().hasPrefix("HTTP/1.1 200 "))
    }

    @Test func bodiesThatNobodyReadsAreNotKept() throws {
        let node = try EmbeddedNode()
        for (connection, path) in [
            (node.clientHandler(), "/v1/poll?user=a&wait=0"),
            (HTTPConnection(routes: APIRoutes(shard: node.shard), shard: node.shard), "/v1/ring"),
        ] {
            let channel = try node.connect(connection)
            try channel.arrive("GET \(path) HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + String(repeating: "x", count: 900))
            #expect(connection.arriving?.bodyBytes == 900 && connection.arriving?.heldBytes == 0)
            try channel.arrive(String(repeating: "x", count: 100))
            #expect(try channel.leaving().hasPrefix("HTTP/1.1 200 "), "\(path)")
        }
    }

    // MARK: The budget

    /// With room for two bodies of 60,000 bytes for each key.
    private static func small() throws -> Keyed {
        try Keyed {
            $0.limits.batchBytesMax = 65_536
            $0.limits.bodyBytesMax = 131_072
        }
    }

    private static let length = "Content-Length: 60001\r\n"

    /// A body of which the end is missing.
    private static func begin(_ keyed: Keyed, _ letter: String, _ framing: String = length) throws -> EmbeddedChannel {
        let (_, channel) = try keyed.connection()
        let body = String(repeating: "\n", count: 60_000)
        try channel.arrive(head("/v1/messages", letter, framing) + (framing == length ? body : "ea61\r\n\(body)"))
        return channel
    }

    @Test(arguments: [length, "Transfer-Encoding: chunked\r\n"])
    func whoBringsMoreThanItsShareIsRefusedAndOthersGoOn(framing: String) throws {
        let keyed = try Self.small()
        let first = [try Self.begin(keyed, "a"), try Self.begin(keyed, "a")]
        #expect(keyed.node.shard.runtime.bodies.bytes >= 120_000)
        let third = try Self.begin(keyed, "a", framing)
        let answer = try third.leaving()
        #expect(answer.hasPrefix("HTTP/1.1 503 ") && answer.contains(#""code":"overloaded""#), "\(answer)")
        #expect(answer.contains("Retry-After: 2\r\n") && answer.contains("Connection: close\r\n"))
        #expect(keyed.node.shard.counters.limited[Limit.allCases.firstIndex(of: .bodyBytes) ?? 0] == 1)
        // Another key has a share of its own, and what comes whole is no body that waits.
        let other = try Self.begin(keyed, "b")
        try first[0].arrive("\n")
        let (_, whole) = try keyed.connection()
        try whole.arrive(Self.head(Self.publish, "a", "Content-Length: 1\r\n") + "x")
        #expect(try whole.leaving().hasPrefix("HTTP/1.1 200 "))
        for _ in 0..<20 { keyed.node.eventLoop.advanceTime(by: FairScheduler.pause) }
        #expect(try first[0].leaving().hasPrefix("HTTP/1.1 200 "))
        try other.arrive("\n")
        for _ in 0..<20 { keyed.node.eventLoop.advanceTime(by: FairScheduler.pause) }
        #expect(try other.leaving().hasPrefix("HTTP/1.1 200 "))
        // The second one goes with its connection.
        #expect(keyed.node.shard.runtime.bodies.ownerCount == 1)
        try first[1].close().wait()
        keyed.node.eventLoop.run()
        #expect(keyed.node.shard.runtime.bodies.bytes == 0 && keyed.node.shard.runtime.bodies.ownerCount == 0)
    }

    /// As much as its buffer will take: who is let in by its head is not refused when most of its body has been read.
    @Test(arguments: [(60_001, 65_536), (40_001, 65_536), (5_001, 8_192)]) func whatIsAnnouncedIsCountedBeforeItComes(
        length: Int, heldBytes: Int
    ) throws {
        let keyed = try Self.small()
        func announce() throws -> EmbeddedChannel {
            let (_, channel) = try keyed.connection()
            try channel.arrive(Self.head("/v1/messages", "a", "Content-Length: \(length)\r\n"))
            return channel
        }
        let bodies = keyed.node.shard.runtime.bodies
        let fitting = bodies.shareBytesMax / heldBytes
        let announced = try (0...fitting).map { _ in try announce() }
        let answers = try announced.map { try $0.leaving().prefix(12) }
        #expect(answers == Array(repeating: "", count: fitting) + ["HTTP/1.1 503"])
        #expect(keyed.node.shard.runtime.bodies.bytes == fitting * heldBytes)
        try announced[0].close().wait()
        let all = announced[1..<fitting] + [try announce()]
        // The socket's buffer is larger than a small body.
        for channel in all {
            for begin in stride(from: 0, to: length - 1, by: Port.strangersReadBytesMax) {
                var piece = channel.allocator.buffer(capacity: Port.strangersReadBytesMax)
                piece.writeRepeatingByte(UInt8(ascii: "\n"), count: min(Port.strangersReadBytesMax, length - 1 - begin))
                try channel.writeInbound(piece)
            }
            #expect(try channel.leaving().isEmpty)
        }
        #expect(keyed.node.shard.runtime.bodies.bytes == fitting * heldBytes)
        for channel in all {
            try channel.arrive("\n")
            for _ in 0..<20 { keyed.node.eventLoop.advanceTime(by: FairScheduler.pause) }
            #expect(try channel.leaving().hasPrefix("HTTP/1.1 200 "))
        }
        #expect(keyed.node.shard.runtime.bodies.bytes == 0 && keyed.node.shard.runtime.bodies.ownerCount == 0)
    }

    @Test func aBatchIsChargedUntilItIsWorkedOff() throws {
        let keyed = try Keyed()
        let (_, channel) = try keyed.connection()
        let count = 10 * BatchPublish.sliceLinesMax
        let lines = (1...count).map { "{\"user\":\"alice\",\"data\":\($0)}\n" }.joined()
        try channel.writeInbound(ByteBuffer(string: Self.head("/v1/messages", "a", "Content-Length: \(lines.utf8.count)\r\n") + lines))
        #expect(keyed.node.shard.runtime.bodies.bytes >= lines.utf8.count)
        for _ in 0..<count { keyed.node.eventLoop.advanceTime(by: FairScheduler.pause) }
        #expect(try channel.leaving().hasPrefix("HTTP/1.1 200 "))
        #expect(keyed.node.shard.runtime.bodies.bytes == 0)
    }

    @Test func whereNoKeyIsAskedForTheAddressIsCharged() throws {
        let node = try EmbeddedNode {
            $0.limits.batchBytesMax = 65_536
            $0.limits.bodyBytesMax = 131_072
        }
        let channels = try (0..<3).map { _ in try node.apiConnection() }
        for channel in channels {
            try channel.arrive("POST /v1/messages HTTP/1.1\r\nHost: x\r\n\(Self.length)\r\n" + String(repeating: "\n", count: 60_000))
        }
        #expect(try channels.map { try $0.leaving().prefix(12) } == ["", "", "HTTP/1.1 503"])
        #expect(node.shard.runtime.bodies.ownerCount == 1)
    }
}

/// An embedded channel has but one side to close.
private final class HalfCloser: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if mode == .output { promise?.succeed() } else { context.close(mode: mode, promise: promise) }
    }
}
