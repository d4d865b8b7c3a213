// Nobody has the event loop for long: who sends much waits for those who send little, and a bell rings only when sockets are looked at.

import Foundation
import NIOCore
import NIOEmbedded
import NIOPosix
import RingpostCore
import Synchronization
import TestSupport
import Testing

@testable import RingpostNode

@Suite struct FairSchedulerTests {
    private static let host = "HTTP/1.1\r\nHost: x\r\n"
    private static let post = post(bytes: 1)
    private static let upgrade =
        "GET /v1/ws?user=alice \(host)Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

    private static func post(bytes: Int) -> String {
        "POST /v1/users/bob/messages \(host)Content-Length: \(bytes)\r\n\r\n\(String(repeating: "x", count: bytes))"
    }

    /// One that has been served before.
    private static func knownConnection(_ node: EmbeddedNode) throws -> EmbeddedChannel {
        let connection = try node.apiConnection()
        try connection.arrive(post)
        _ = try connection.leaving()
        return connection
    }

    @Test func whoSendsManyFramesLeavesOthersTheirTurn() throws {
        let node = try EmbeddedNode()
        let (eager, other) = (try node.clientConnection(), try Self.knownConnection(node))
        try eager.arrive(Self.upgrade)
        _ = try eager.writes()
        let ping: [UInt8] = [0x89, 0x80, 0, 0, 0, 0]
        let count = 100
        try eager.writeInbound(ByteBuffer(bytes: Array(repeatElement(ping, count: count).joined())))
        try other.writeInbound(ByteBuffer(string: Self.post))
        #expect(try other.leaving().hasPrefix("HTTP/1.1 200 "))
        let first = try eager.writes().joined().count / 2
        #expect(first == FairScheduler.sliceRequestsMax)
        var pongs = first
        for _ in 0...count / FairScheduler.sliceRequestsMax {
            node.eventLoop.advanceTime(by: FairScheduler.pause)
            pongs += try eager.writes().joined().count / 2
        }
        #expect(pongs == count)
    }

    /// Names are looked at some at a time, in their order, and before what comes behind the command.
    @Test func aCommandWithManyNamesLeavesOthersTheirTurn() throws {
        let node = try EmbeddedNode()
        let (eager, other) = (try node.clientConnection(), try Self.knownConnection(node))
        try eager.arrive(Self.upgrade)
        _ = try eager.writes()
        let count = 150
        let names = (0..<count).map { "\"c\($0)\"" }
        var frames = ByteBuffer()
        for command in ["subscribe", "unsubscribe"].map({ #"{"\#($0)":[\#(names.joined(separator: ","))]}"# }) {
            frames.writeBytes([0x81, 0x80 | 126, UInt8(command.utf8.count >> 8), UInt8(command.utf8.count & 0xFF), 0, 0, 0, 0])
            frames.writeString(command)
        }
        try eager.writeInbound(frames)
        try other.writeInbound(ByteBuffer(string: Self.post))
        #expect(try other.leaving().hasPrefix("HTTP/1.1 200 "))
        var answers = try eager.leaving()
        func attached() -> Int { answers.components(separatedBy: "\"attached\"").count - 1 }
        let first = attached()
        #expect(first > 0 && first < count / 2)
        for _ in 0..<2 * count {
            node.eventLoop.advanceTime(by: FairScheduler.pause)
            answers += try eager.leaving()
        }
        #expect(attached() == count && answers.components(separatedBy: "\"unsubscribed\"").count == count + 1)
        let indices = try names.map { try #require(answers.range(of: "\"channel\":\($0)")).lowerBound }
        let behind = try #require(answers.range(of: "\"unsubscribed\"")).lowerBound
        #expect(indices == indices.sorted() && behind > indices[count - 1])
    }

    /// As its URL names them, and when it goes.
    @Test func aSocketOfManyChannelsLeavesOthersTheirTurn() throws {
        let node = try EmbeddedNode()
        let (eager, other) = (try node.clientConnection(), try Self.knownConnection(node))
        let count = 200
        let names = (0..<count).map { "c\($0)" }
        let command = #"{"subscribe":["behind"]}"#
        var bytes = ByteBuffer(
            string: Self.upgrade.replacing("user=alice", with: "user=alice&presence=true&channels=\(names.joined(separator: ","))"))
        bytes.writeBytes([0x81, 0x80 | UInt8(command.utf8.count), 0, 0, 0, 0])
        bytes.writeString(command)
        try eager.writeInbound(bytes)
        try publish("x", to: "users/bob")
        var answers = try eager.leaving()
        func attached() -> Int { answers.components(separatedBy: "\"attached\"").count - 1 }
        let first = attached()
        #expect(first > 0 && first < count / 2)
        for _ in 0..<count {
            node.eventLoop.advanceTime(by: FairScheduler.pause)
            answers += try eager.leaving()
        }
        #expect(attached() == count + 2 && node.shard.channels.localCount == count + 1)
        let indices = try (names + ["behind"]).map { try #require(answers.range(of: "\"channel\":\"\($0)\"")).lowerBound }
        #expect(indices == indices.sorted())

        try eager.writeInbound(ByteBuffer(bytes: [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8]))
        #expect(node.shard.channels.localCount > count / 2)
        // Who still has to end takes nothing: no news in the tick in which it said its last word, and no message.
        let lastKey = try Key(.channel, name: Array(names[count - 1].utf8), hasher: node.view.hasher)
        let last = try #require(node.shard.channels.localChannel(lastKey))
        last.onPresence(PresenceNews(isWhole: true, subscribers: 2, joined: [Array("alice".utf8), Array("bob".utf8)]))
        try publish("y", to: "channels/behind")
        #expect(try eager.writes().joined().elementsEqual([0x88, 0x02, 0x03, 0xE8]))
        var before = node.shard.channels.localCount
        for _ in 0..<count where before > 0 {
            node.eventLoop.advanceTime(by: FairScheduler.pause)
            #expect(before - node.shard.channels.localCount <= FairScheduler.endingsMax)
            before = node.shard.channels.localCount
        }
        #expect(before == 0)
        #expect(try eager.writes().isEmpty)

        func publish(_ text: String, to target: String) throws {
            let request = "POST /v1/\(target)/messages \(Self.host)Content-Length: \(text.utf8.count)\r\n\r\n\(text)"
            try other.writeInbound(ByteBuffer(string: request))
            // In this turn, or at the beginning of the next one.
            var answer = try other.leaving()
            if answer.isEmpty { node.eventLoop.advanceTime(by: FairScheduler.pause) }
            answer += try other.leaving()
            #expect(answer.hasPrefix("HTTP/1.1 200 "))
        }
    }

    /// What is read before a turn begins may use it up, each time.
    @Test func aFreshRequestIsServedWhereReadingHasUsedUpTheTurn() throws {
        let node = try EmbeddedNode()
        let (fresh, resting) = (LinkServer(links: node.shard.links), LinkServer(links: node.shard.links))
        var scheduler = FairScheduler()
        for _ in 0..<2 {
            scheduler.append(fresh, .fresh)
            scheduler.append(resting, .resting)
        }
        for _ in 0..<2 {
            scheduler.spend(requests: FairScheduler.requestsMax)
            scheduler.begin()
            #expect(scheduler.next() === resting)
            #expect(scheduler.next() === fresh)
            #expect(scheduler.next() == nil, "the turn is over")
            _ = scheduler.end(hasMore: false)
        }
    }

    /// A crowd has half of a turn, however many it is.
    @Test func whoIsThereGoesBeforeThoseWhoCome() throws {
        let node = try EmbeddedNode()
        let known = try Self.knownConnection(node)
        let crowd = try (0..<3 * FairScheduler.requestsMax).map { _ in try node.apiConnection() }
        for newcomer in crowd { try newcomer.writeInbound(ByteBuffer(string: Self.post)) }
        try known.writeInbound(ByteBuffer(string: Self.post))
        #expect(try known.leaving().hasPrefix("HTTP/1.1 200 "))
        func answered() throws -> Int { try crowd.count { try $0.leaving().hasPrefix("HTTP/1.1 200 ") } }
        var served = try answered()
        #expect(served == FairScheduler.requestsMax / 2)
        for _ in crowd {
            node.eventLoop.advanceTime(by: FairScheduler.pause)
            served += try answered()
        }
        #expect(served == crowd.count)
    }

    /// A signature takes as long as several requests to check.
    @Test func tokensTakeMoreOfATurn() async throws {
        let (folder, key) = (try TemporaryFolder(), TestKey.elliptic())
        try key.file.write(to: URL(fileURLWithPath: folder.file(key.fileName)))
        let node = try EmbeddedNode { $0.auth.tokenKeysPath = folder.path }
        try await node.shard.context.tokens?.load()
        node.shard.applyRevocations(RevocationList())
        let crowd = try (0..<FairScheduler.requestsMax).map { number in
            let claims = #"{"sub":"alice","jti":"\#(number)","exp":\#(Moment.now().wall / 1_000 + 60)}"#
            let token = String(decoding: try key.token(claims, kid: key.id), as: UTF8.self)
            return (try node.clientConnection(), "GET /v1/poll?wait=0&access_token=\(token) \(Self.host)\r\n")
        }
        for (newcomer, request) in crowd { try newcomer.writeInbound(ByteBuffer(string: request)) }
        func answered() throws -> Int { try crowd.count { try $0.0.leaving().hasPrefix("HTTP/1.1 200 ") } }
        var served = try answered()
        #expect(served == 2, "half of a turn is a request and its signature, twice")
        for _ in crowd {
            node.eventLoop.advanceTime(by: FairScheduler.pause)
            served += try answered()
        }
        #expect(served == crowd.count)
    }

    /// Who has sent much, and those who come, have their turn also while there are always fresh requests.
    @Test(arguments: [1, FairScheduler.requestsMax * FairScheduler.bytesARequest])
    func freshRequestsKeepNobodyWaitingForGood(bytes: Int) throws {
        let node = try EmbeddedNode()
        let known = try (0..<3 * FairScheduler.requestsMax).map { _ in try node.apiConnection() }
        for each in known { try each.arrive(Self.post) }
        let request = Self.post(bytes: bytes)
        let (eager, newcomer) = (try node.apiConnection(), try node.apiConnection())
        let count = 5 * FairScheduler.sliceRequestsMax
        var answers = ("", "")
        for round in 0..<8 * count {
            // Who has been answered asks again, all in one tick.
            let answered = try known.filter { try !$0.leaving().isEmpty || round == 0 }
            for each in answered { try each.writeInbound(ByteBuffer(string: request)) }
            if round == 1 {
                try eager.writeInbound(ByteBuffer(string: String(repeating: Self.post, count: count)))
                try newcomer.writeInbound(ByteBuffer(string: Self.post))
            }
            node.eventLoop.advanceTime(by: FairScheduler.pause)
            answers.0 += try eager.leaving()
            answers.1 += try newcomer.leaving()
        }
        #expect(answers.0.components(separatedBy: "HTTP/1.1 200 ").count == count + 1)
        #expect(answers.1.hasPrefix("HTTP/1.1 200 "))
    }

    /// What is large counts as several requests.
    @Test func aLargeRequestLeavesOthersTheirTurn() throws {
        let node = try EmbeddedNode()
        let known = try (0..<3).map { _ in try Self.knownConnection(node) }
        let large = Self.post(bytes: FairScheduler.requestsMax * FairScheduler.bytesARequest)
        try known[0].writeInbound(ByteBuffer(string: large))
        try known[1].writeInbound(ByteBuffer(string: large))
        try known[2].writeInbound(ByteBuffer(string: Self.post))
        #expect(try known.map { try $0.leaving().isEmpty } == [false, true, true])
        node.eventLoop.advanceTime(by: FairScheduler.pause)
        #expect(try known.map { try $0.leaving().isEmpty } == [true, false, true])
        node.eventLoop.advanceTime(by: FairScheduler.pause)
        #expect(try known.map { try $0.leaving().isEmpty } == [true, true, false])
    }

    /// Also where nobody writes to a socket in that turn.
    @Test func aTurnsTimeEndsWithIt() throws {
        let node = try EmbeddedNode()
        // Nothing is left to be flushed that would end a turn by itself.
        node.eventLoop.run()
        let first = node.shard.runtime.turnMilliseconds()
        func passMillisecond(after time: Int64) { while MonotonicClock.nowMilliseconds() <= time {} }
        passMillisecond(after: first)
        #expect(node.shard.runtime.turnMilliseconds() == first)
        node.eventLoop.run()
        #expect(node.shard.runtime.turnMilliseconds() > first)
    }

    @Test func aLargeMessageReachesEachSocketOfItsUser() throws {
        let node = try EmbeddedNode()
        let sockets = [try node.clientConnection(), try node.clientConnection()]
        for socket in sockets {
            try socket.arrive(Self.upgrade)
            _ = try socket.writes()
        }
        for letter in ["a", "b"] {
            let text = String(repeating: letter, count: SharedFrames.bytesMin)
            try node.publish(text, to: "alice")
            for socket in sockets { #expect(try socket.leaving().components(separatedBy: "\"data\":\"\(text)\"}").count == 2) }
        }
    }

    /// The sockets of a crowd whose time is over are not all ended at once.
    @Test func aCrowdIsEndedInPieces() throws {
        let node = try EmbeddedNode { $0.limits.headMilliseconds = 0 }
        let count = 5 * ShardRuntime.endingsMax * ConnectionTable.ticksPerRound
        let crowd = try (0..<count).map { _ in try node.clientConnection() }
        var before = count
        node.shard.start()
        for _ in 0..<(count / ShardRuntime.endingsMax + ConnectionTable.ticksPerRound) * Int(Shard.tickMilliseconds) {
            node.eventLoop.advanceTime(by: .milliseconds(1))
            let open = crowd.count { $0.isActive }
            #expect(before - open <= 2 * ShardRuntime.endingsMax)
            before = open
            if open == 0 { break }
        }
        #expect(before == 0)
        node.shard.stop()
    }

    /// Counts how often a socket is to be read.
    private final class ReadCounter: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        var count = 0
        func read(context: ChannelHandlerContext) {
            count += 1
            context.read()
        }
        func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
            // As with a socket: only the sending side is closed at first.
            if mode == .all { context.close(mode: mode, promise: promise) } else { promise?.succeed() }
        }
    }

    /// Connections that have been refused, and are closing.
    private func refusedCrowd(_ count: Int, _ node: EmbeddedNode) throws -> [(EmbeddedChannel, ReadCounter)] {
        try (0..<count).map { _ in
            let (channel, counter) = (try node.clientConnection(), ReadCounter())
            try channel.pipeline.syncOperations.addHandler(counter, position: .first)
            try channel.arrive("no request\r\n\r\n")
            return (channel, counter)
        }
    }

    /// What connections that are closing still send is read from some of them in a turn, and dropped.
    @Test func whatACrowdSendsAfterItsEndIsReadInPieces() throws {
        let node = try EmbeddedNode()
        let crowd = try refusedCrowd(3 * FairScheduler.droppingMax, node)
        let before = crowd.map(\.1.count)
        func readAgain() -> Int { zip(crowd, before).count { $0.1.count > $1 } }
        #expect(crowd.allSatisfy { $0.0.reads == false && $0.0.isActive })
        #expect(readAgain() == 0)
        var last = 0
        while last < crowd.count {
            node.eventLoop.advanceTime(by: FairScheduler.pause)
            #expect((1...FairScheduler.droppingMax).contains(readAgain() - last))
            guard readAgain() > last else { return }
            last = readAgain()
        }
        // Once, until it has read something.
        node.eventLoop.advanceTime(by: FairScheduler.pause)
        #expect(zip(crowd, before).allSatisfy { $0.1.count == $1 + 1 })
        try crowd[0].0.arrive("more")
        node.eventLoop.advanceTime(by: FairScheduler.pause)
        #expect(crowd[0].1.count == before[0] + 2 && crowd[1].1.count == before[1] + 1)
    }

    /// Who is gone when its turn comes takes nobody's place.
    @Test func thoseWhoAreGoneTakeNoTurns() throws {
        let node = try EmbeddedNode()
        let gone = try refusedCrowd(5 * FairScheduler.droppingMax, node)
        let crowd = try refusedCrowd(FairScheduler.droppingMax, node)
        let before = crowd.map(\.1.count)
        for (channel, _) in gone { try channel.close().wait() }
        node.eventLoop.advanceTime(by: FairScheduler.pause)
        #expect(zip(crowd, before).allSatisfy { $0.1.count == $1 + 1 })
    }

    /// NIO reads all at once, and unasked, that a client has sent before it closed its side.
    @Test func ofACrowdThatHasClosedItsSideNotAllIsRead() throws {
        let node = try EmbeddedNode()
        let bytes = [UInt8](repeating: 0, count: Connection.droppedBytesMax)
        let crowd = try refusedCrowd(4, node).map(\.0)
        let few = FairScheduler.droppedBytesMax / bytes.count
        // All in one look of the event loop at its sockets.
        for channel in crowd { try channel.writeInbound(ByteBuffer(bytes: bytes)) }
        #expect(crowd.map(\.isActive) == (0..<4).map { $0 < few })
        node.eventLoop.advanceTime(by: FairScheduler.pause)
        let one = try refusedCrowd(1, node)[0].0
        try one.arrive(bytes)
        #expect(one.isActive, "in the next turn there is time again")
    }

    /// Tasks that tasks add come before sockets, as many as there are; the waker comes with the sockets.
    @Test func theWakerCallsBackBehindAllTasks() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let eventLoop = group.next()
        let count = Atomic<Int>(0)
        let tasksBefore: Int = await withCheckedContinuation { continuation in
            LoopWaker.install(on: eventLoop) { waker in
                waker.wake()
                add(1_000)
            } onWake: {
                continuation.resume(returning: count.load(ordering: .relaxed))
            }
        }
        #expect(tasksBefore == 1_000)
        try await group.shutdownGracefully()

        @Sendable func add(_ left: Int) {
            if left == 0 { return }
            eventLoop.execute {
                count.add(1, ordering: .relaxed)
                add(left - 1)
            }
        }
    }
}
