// The producer over real sockets, against a stand-in for a node's link port.
import NIOCore
import RingpostCore
import RingpostWire
import Synchronization
import Testing

@testable import RingpostClient

@Suite(.timeLimit(.minutes(1))) struct ProducerTests {
    @Test func sendsAndReceives() async throws {
        let node = try await StandInNode { _, _, _ in .answer(.success(StandInNode.receipt)) }
        let producer = Producer(links: [node.endpoint])
        let receipt = try await producer.send(.json(Array("[1]".utf8)), to: .user("a b"), idempotency: .key("k"), timeToLiveSeconds: 60)
        #expect(receipt.sequence == 1)
        #expect(receipt.owner == "n1")
        #expect(receipt.via == "n1")
        #expect(receipt.outcome == .delivered)
        #expect(receipt.id == "00000000000000010000000000000002")
        _ = try await producer.send(.text("x"), to: .user("c"), idempotency: .none)
        _ = try await producer.send(.text("x"), to: .user("c"))
        await producer.close()
        let produced = node.produced.withLock { $0 }
        #expect(produced.map { String(decoding: $0.name, as: UTF8.self) } == ["a b", "c", "c"])
        #expect(produced.map(\.isJSON) == [true, false, false])
        #expect(produced[0].idempotencyKey == ByteBuffer(string: "k"))
        #expect(produced.map(\.isForgettable) == [false, false, true])
        #expect(produced[0].timeToLiveSeconds == 60)
        #expect(produced[1].idempotencyKey.readableBytes == 0)
        #expect(produced[2].idempotencyKey.readableBytes > 0)
        await #expect(throws: ProducerError.closed) { try await producer.send(.text("x"), to: .user("c")) }
    }

    @Test func manyInOrderWithFewPlaces() async throws {
        let node = try await StandInNode { _, _, _ in .answer(.success(StandInNode.receipt)) }
        var options = Producer.Options()
        options.inFlightMax = 8
        let producer = Producer(links: [node.endpoint], options: options)
        let done = Mutex(0)
        for number in 0..<2_000 {
            try await producer.enqueueWaiting(.text("\(number)"), to: .user("a")) { _ in done.withLock { $0 += 1 } }
        }
        await producer.close()
        #expect(done.withLock { $0 } == 2_000)
        #expect(node.produced.withLock { $0.map { String(buffer: $0.data) } } == (0..<2_000).map(String.init))
    }

    @Test func anAnswerMakesRoomForTheNext() async throws {
        let node = try await StandInNode { _, _, _ in .answer(.success(StandInNode.receipt)) }
        var options = Producer.Options()
        options.inFlightMax = 4
        let chain = Chain(Producer(links: [node.endpoint], options: options), length: 1_000)
        for _ in 0..<4 { chain.enqueue() }
        #expect(await eventually { chain.answered.withLock { $0 } == 1_000 })
        await chain.producer.close()
        #expect(chain.failures.withLock { $0 } == [])
        #expect(node.produced.withLock { Set($0.map(\.idempotencyKey)).count } == 1_000, "each message has a key of its own")
    }

    /// Each answer hands the next message over.
    private final class Chain: Sendable {
        let producer: Producer
        let left: Mutex<Int>
        let answered = Mutex(0)
        let failures = Mutex<[ProducerError]>([])

        init(_ producer: Producer, length: Int) {
            self.producer = producer
            left = Mutex(length)
        }

        func enqueue() {
            let goesOn = left.withLock {
                $0 -= 1
                return $0 >= 0
            }
            guard goesOn else { return }
            do throws(ProducerError) {
                let isTaken = try producer.enqueue(.text("x"), to: .channel("c")) { result in
                    if case .failure(let error) = result { self.failures.withLock { $0.append(error) } }
                    self.answered.withLock { $0 += 1 }
                    self.enqueue()
                }
                if !isTaken { failures.withLock { $0.append(.tooManyWaiting) } }
            } catch {
                failures.withLock { $0.append(error) }
            }
        }
    }

    @Test func enqueueSaysWhenItIsFull() async throws {
        let node = try await StandInNode { _, _, _ in .nothing }
        var options = Producer.Options()
        options.inFlightMax = 2
        options.budgetMilliseconds = 200
        let producer = Producer(links: [node.endpoint], options: options)
        try await producer.connect()
        let results = Mutex<[ProducerError?]>([])
        for expected in [true, true, false] {
            let isTaken = try producer.enqueue(.text("x"), to: .user("a")) { result in
                results.withLock { if case .failure(let error) = result { $0.append(error) } else { $0.append(nil) } }
            }
            #expect(isTaken == expected)
        }
        await producer.close()
        #expect(results.withLock { $0 } == [.outcomeUnknown, .outcomeUnknown])
    }

    @Test func aLostLinkIsReplacedAndMessagesAreSentAgainInOrder() async throws {
        // The first connection takes three messages, answers none, and breaks.
        let node = try await StandInNode { node, connection, _ in
            if connection > 1 { return .answer(.success(StandInNode.receipt)) }
            return node.produced.withLock { $0.count } == 3 ? .close : .nothing
        }
        let producer = Producer(links: [node.endpoint])
        let results = Mutex<[String]>([])
        for (text, idempotency) in [("1", .automatic), ("2", .none), ("3", .automatic)] as [(String, Producer.Idempotency)] {
            try await producer.enqueueWaiting(.text(text), to: .user("a"), idempotency: idempotency) { result in
                results.withLock { $0.append(text + ((try? result.get()) == nil ? " failed" : " sent")) }
            }
        }
        await producer.close()
        #expect(results.withLock { $0 } == ["2 failed", "1 sent", "3 sent"])
        let produced = node.produced.withLock { $0 }
        #expect(produced.map { String(buffer: $0.data) } == ["1", "2", "3", "1", "3"])
        #expect(produced[0].idempotencyKey == produced[3].idempotencyKey)
        #expect(produced.map(\.mayBeRepeat) == [false, false, false, true, true])
    }

    @Test func refusedMessagesRestart() async throws {
        let node = try await StandInNode { _, _, produce in
            produce.restarts || produce.name != Array("a".utf8) ? .answer(.success(StandInNode.receipt)) : .answer(.failure(.retry))
        }
        let producer = Producer(links: [node.endpoint])
        _ = try await producer.send(.text("x"), to: .user("a"))
        _ = try await producer.send(.text("y"), to: .user("b"))
        #expect(node.produced.withLock { $0.map(\.restarts) } == [false, true, false])
        await producer.close()
    }

    @Test func goesToTheNextAddress() async throws {
        let dead = try await StandInNode { _, _, _ in .nothing }
        let deadEndpoint = dead.endpoint
        await dead.close()
        let node = try await StandInNode { _, _, _ in .answer(.success(StandInNode.receipt)) }
        let producer = Producer(links: [deadEndpoint, node.endpoint])
        #expect(try await producer.connect() == "n1")
        _ = try await producer.send(.text("x"), to: .user("a"))
        await producer.close()
    }

    @Test func saysWhenNobodyIsThere() async throws {
        let dead = try await StandInNode { _, _, _ in .nothing }
        let endpoint = dead.endpoint
        await dead.close()
        var options = Producer.Options()
        options.budgetMilliseconds = 100
        let producer = Producer(links: [endpoint], options: options)
        let reason = "nothing answers at \(endpoint): is a node running there? (ringpost node)"
        await #expect(throws: ProducerError.notSent(reason)) { try await producer.connect() }
        await #expect(throws: ProducerError.notSent(reason)) { try await producer.send(.text("x"), to: .user("a")) }
        await producer.close()
    }

    @Test func findsLinksThroughTheAPI() async throws {
        let node = try await StandInNode { _, _, _ in .answer(.success(StandInNode.receipt)) }
        let link = node.endpoint.description
        let api = try await StandInHTTP { _, _, _ in
            .response(
                .ok, [],
                #"{"nodes":[{"id":"n1","client":"h:1","api":"h:2","link":"\#(link)","weight":100,"answered":true,"new":{"a":1}}]}"#)
        }
        let producer = Producer(api: [api.endpoint])
        _ = try await producer.send(.text("x"), to: .user("a"))
        await producer.close()
        #expect(api.requests == ["/v1/nodes"])
    }

    @Test func refusesWhatCanBeNoMessage() async throws {
        let producer = Producer(links: [])
        await #expect(throws: ProducerError.badRequest("a user id has 1 to 256 bytes, not 0")) {
            try await producer.send(.text("x"), to: .user(""))
        }
        await #expect(throws: ProducerError.badRequest("an idempotency key has 1 to 255 bytes, not 256")) {
            try await producer.send(.text("x"), to: .user("a"), idempotency: .key(String(repeating: "k", count: 256)))
        }
        await producer.close()
    }
}
