// Pages of histories on one node: read piece by piece, a turn each, and counted for as long as somebody waits.
import Foundation
import HashRing
import NIOCore
import NIOEmbedded
import RingpostCore
import Testing

@testable import RingpostNode

@Suite struct HistoryReadsTests {
    /// With messages of 40,000 bytes for alice: one fits into a piece.
    private static func node(_ messages: Int) throws -> EmbeddedNode {
        let node = try EmbeddedNode()
        for _ in 0..<messages { try node.publish(String(repeating: "x", count: 40_000), to: "alice") }
        return node
    }

    private static func query(_ node: EmbeddedNode) throws -> HistoryQuery {
        HistoryQuery(key: try Key(.user, name: Array("alice".utf8), hasher: node.view.hasher), since: .earliest, before: nil)
    }

    /// The loop has as many turns as pages have pieces.
    private static func turn(_ node: EmbeddedNode) { for _ in 0..<20 { node.eventLoop.advanceTime(by: FairScheduler.pause) } }

    private static let request = "GET /v1/users/alice/messages?since=earliest HTTP/1.1\r\nHost: x\r\n\r\n"

    @Test func aPageOfManyPieces() throws {
        let node = try Self.node(8)
        let channel = try node.apiConnection()
        try channel.writeInbound(ByteBuffer(string: Self.request))
        #expect(node.shard.history.pages == 1, "the next pieces have turns of their own")
        Self.turn(node)
        let answer = try channel.leaving()
        #expect(answer.hasPrefix("HTTP/1.1 200 ") && answer.components(separatedBy: #""seq":"#).count == 8, "256 KiB, and no more is read")
        #expect(answer.hasSuffix("-7\",\"more\":true}\n"))
        #expect(node.shard.history.pages == 0)
    }

    @Test func whoGoesIsCountedNoMore() throws {
        let node = try Self.node(3)
        var answers = 0
        let read = try node.shard.history.read(Self.query(node), for: .nobody) { _ in answers += 1 }
        #expect(node.shard.history.pages == 1)
        node.shard.history.cancel(read)
        node.shard.history.cancel(read)
        #expect(node.shard.history.pages == 0)
        Self.turn(node)
        #expect(answers == 0)
        let channel = try node.apiConnection()
        try channel.writeInbound(ByteBuffer(string: Self.request))
        #expect(node.shard.history.pages == 1)
        _ = try channel.finish(acceptAlreadyClosed: true)
        #expect(node.shard.history.pages == 0)
    }

    @Test func aNodeThatStopsAnswersAtOnce() throws {
        let node = try Self.node(3)
        let channel = try node.apiConnection()
        try channel.writeInbound(ByteBuffer(string: Self.request))
        node.shard.shutDown()
        let answer = try channel.leaving()
        #expect(answer.hasPrefix("HTTP/1.1 503 ") && answer.contains(#""code":"stopping""#), "\(answer.prefix(200))")
        #expect(node.shard.history.pages == 0)
    }

    @Test func whereThereIsNoRingNobodyIsAsked() throws {
        let node = try EmbeddedNode(isInRing: false)
        let channel = try node.apiConnection()
        try channel.arrive(Self.request)
        #expect(try channel.leaving().contains(#""code":"no_owner""#))
    }

    /// One site has as many addresses as it wants.
    @Test func aSourceNetworkIsOneAsker() throws {
        let node = try Self.node(3)
        for host in 1...HistoryGate.pagesPerOwnerMax {
            try node.apiConnection(from: "2001:db8::\(host)").writeInbound(ByteBuffer(string: Self.request))
        }
        #expect(node.shard.history.pages == HistoryGate.pagesPerOwnerMax)
        let (another, other) = (try node.apiConnection(from: "2001:db8::ff"), try node.apiConnection(from: "2001:db8:0:1::1"))
        for channel in [another, other] { try channel.writeInbound(ByteBuffer(string: Self.request)) }
        // So many requests have been read that these have the next turn; the pages take more than one.
        node.eventLoop.advanceTime(by: FairScheduler.pause)
        let refusal = try another.leaving()
        #expect(refusal.hasPrefix("HTTP/1.1 429 "), "\(refusal)")
        Self.turn(node)
        let answer = try other.leaving()
        #expect(answer.hasPrefix("HTTP/1.1 200 "), "\(answer.prefix(200))")
    }

    @Test func soManyPagesOfOneAsker() throws {
        let node = try Self.node(3)
        for _ in 0..<HistoryGate.pagesPerOwnerMax { _ = try node.shard.history.read(Self.query(node), for: .key("a")) { _ in } }
        let error = #expect(throws: ProblemReport.self) { try node.shard.history.read(Self.query(node), for: .key("a")) { _ in } }
        #expect(error?.problem == .tooFast)
        #expect(node.shard.counters.limited[Limit.allCases.firstIndex(of: .historyRate) ?? 0] == 1)
        _ = try node.shard.history.read(Self.query(node), for: .key("b")) { _ in }
        Self.turn(node)
        #expect(node.shard.history.pages == 0)
    }
}
