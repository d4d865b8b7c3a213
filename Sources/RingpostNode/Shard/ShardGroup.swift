// All shards of a node, for code that asks or tells every one of them: the membership, operators, the end of the node.
import NIOCore
import RingpostCore
import RingpostWire
import Synchronization

package final class ShardGroup: Sendable {
    /// How often a move of clients is looked at.
    private static let moveLookMilliseconds = 50

    /// Answers another member's question from an event loop, if the question makes sense.
    typealias QuestionAnswerer =
        @Sendable (LinkQuestion, _ argument: [UInt8], any EventLoop, _ answer: @escaping @Sendable ([UInt8]) -> Void) -> Void

    let context: NodeContext
    package let shards: [Shard]
    private let questionAnswerer = Mutex<QuestionAnswerer>({ _, _, _, _ in })

    package init(_ context: NodeContext, eventLoops: [any EventLoop]) {
        self.context = context
        let registry = LinkRegistry()
        shards = eventLoops.enumerated().map { Shard(index: $0, eventLoop: $1, context: context, linkRegistry: registry) }
        for shard in shards {
            shard.join(self)
            shard.runtime.setPeers(shards.map(\.runtime))
        }
    }

    var eventLoops: [any EventLoop] { shards.map(\.eventLoop) }

    /// Runs on every shard's event loop.
    func onEachShard(_ body: @escaping @Sendable (Shard) -> Void) {
        for shard in shards { context.loops.execute(on: shard.eventLoop) { body(shard) } }
    }

    /// Asks every shard, one after the other. When the node has ended, none gives a value.
    @discardableResult
    func ask<Value: Sendable>(_ body: @escaping @Sendable (Shard) -> Value) async -> [Value] {
        var values: [Value] = []
        for shard in shards {
            let value: Value? = await withCheckedContinuation { continuation in
                let isAsked = context.loops.execute(on: shard.eventLoop) { continuation.resume(returning: body(shard)) }
                if !isAsked { continuation.resume(returning: nil) }
            }
            if let value { values.append(value) }
        }
        return values
    }

    // MARK: Questions of other members

    /// Set once before any link exists.
    func setQuestionAnswerer(_ answerer: @escaping QuestionAnswerer) { questionAnswerer.withLock { $0 = answerer } }

    func onQuestion(
        _ question: LinkQuestion, _ argument: [UInt8], on eventLoop: any EventLoop, _ answer: @escaping @Sendable ([UInt8]) -> Void
    ) {
        let answerer = questionAnswerer.withLock { $0 }
        answerer(question, argument, eventLoop, answer)
    }

    // MARK: Clients

    /// Asks all clients to go elsewhere, evenly over the time; from now on new ones are told so at once.
    ///
    /// Returns when the last one has gone or the time is over, or when the task is cancelled, which takes the move back. Clients that
    /// are left then are told at once by ``Shard/shutDown()``.
    ///
    /// - Parameters:
    ///   - milliseconds: over what time to spread it.
    ///   - elsewhere: client addresses of other members, each "host:port".
    func moveSockets(milliseconds: Int64, elsewhere: [String]) async {
        let until = Moment.now().monotonic + milliseconds
        await ask { $0.moveSockets(milliseconds: milliseconds, elsewhere: elsewhere, isOrdered: true) }
        while true {
            let left = await ask { $0.clientSockets }.reduce(0, +)
            if left == 0 || Moment.now().monotonic >= until { return }
            do {
                try await Task.sleep(for: .milliseconds(Self.moveLookMilliseconds))
            } catch {
                await stopMovingSockets()
                return
            }
        }
    }

    /// Takes a move back: who is still here may stay, and new clients are welcome.
    func stopMovingSockets() async { await ask { $0.stopMovingSockets(isOrdered: true) } }

    /// What would have to go before the node can.
    func holdings() async -> NodeHoldings {
        await ask { $0.holdings }.reduce(into: NodeHoldings()) { sum, part in
            sum.copies += part.copies
            sum.lastCopies += part.lastCopies
            sum.users += part.users
            sum.sockets += part.sockets
        }
    }

    /// Ends all sockets; returns when they have got what is on its way to them, and the reason why they end, or when the time is over. Shards
    /// say nothing to each other after it.
    func closeSockets() async {
        await ask { $0.shutDown() }
        let until = Moment.now().monotonic + context.configuration.limits.closeMilliseconds
        while Moment.now().monotonic < until {
            let open = await ask { $0.openSockets }.reduce(0, +)
            if open == 0 { break }
            try? await Task.sleep(for: .milliseconds(20))
        }
        await ask { $0.stop() }
    }
}
