// Ends: with and without a server, with requests under way, twice, by dropping the last reference, and two hundred times over.

import Foundation
import TestSupport
import Testing
import ZooKeeperClient

extension ZooKeeperTests {
    @Suite struct Close {
        @Test func aSessionThatNeverConnectedCloses() async throws {
            let (session, events) = try beginSession("127.0.0.1:\(FreePorts.take(1)[0])")
            let request = Task { await failure { () throws(ZooKeeperError) in _ = try await session.get("/a") } }
            let start = ContinuousClock.now
            await session.close()
            #expect(ContinuousClock.now - start < .seconds(5))
            let kind = await request.value
            #expect(kind == .closing || kind == .connectionLoss)
            #expect(session.sessionID == 0)
            #expect(events.events.isEmpty)
        }

        @Test func aSessionOfAServerThatDoesNotAnswerCloses() async throws {
            let server = try await ZooKeeperServer.start()
            let (session, events) = try await openSession(server.connectString)
            server.pause()
            let (unanswered, _) = try beginSession(server.connectString)
            let start = ContinuousClock.now
            await unanswered.close()
            #expect(ContinuousClock.now - start < .seconds(5), "connected, but not yet a session")
            await session.close()
            #expect(ContinuousClock.now - start < .seconds(15))
            let count = events.events.count
            server.resume()
            #expect(events.events.count == count, "nothing is heard of a closed session")
        }

        @Test func closingTwiceIsClosingOnce() async throws {
            let server = try await ZooKeeperServer.start()
            let (session, _) = try await openSession(server.connectString)
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<8 { group.addTask { await session.close() } }
            }
            await session.close()
            #expect(await failure { () throws(ZooKeeperError) in try await session.create("/a", data: []) } == .closing)
            #expect(await failure { () throws(ZooKeeperError) in try await session.multi([.check(path: "/")]) } == .closing)
            #expect(session.sessionID != 0)
        }

        @Test func everyRequestUnderWayEnds() async throws {
            let server = try await ZooKeeperServer.start()
            for _ in 0..<20 {
                let (session, _) = try await openSession(server.connectString)
                let kinds = await withTaskGroup(of: ZooKeeperError.Kind?.self) { group in
                    for number in 0..<200 {
                        group.addTask {
                            await failure { () throws(ZooKeeperError) in
                                try await session.multi([.check(path: "/"), .check(path: "/zookeeper")])
                                try await session.sync("/\(number)")
                            }
                        }
                    }
                    group.addTask {
                        await session.close()
                        return nil
                    }
                    return await group.reduce(into: []) { $0.append($1) }
                }
                #expect(kinds.count == 201)
                #expect(kinds.allSatisfy { $0 == nil || $0 == .closing })
            }
        }

        @Test func tooManyRequestsAreRefusedAndTheOthersEnd() async throws {
            let server = try await ZooKeeperServer.start()
            let (session, _) = try await openSession(server.connectString, timeoutMilliseconds: 10_000)
            server.pause()
            let tooMany = 10_100
            let kinds = await withTaskGroup(of: ZooKeeperError.Kind?.self) { group in
                for _ in 0..<tooMany {
                    group.addTask { await failure { () throws(ZooKeeperError) in try await session.sync("/") } }
                }
                // The refused ones end first, and all others wait for the server.
                let refused = await group.next().flatMap { $0 }
                server.resume()
                return await group.reduce(into: [refused]) { $0.append($1) }
            }
            #expect(kinds.count == tooMany)
            #expect(kinds.filter { $0 == .throttled }.count <= 100)
            #expect(kinds.allSatisfy { $0 == nil || $0 == .throttled })
            #expect(kinds.first == .throttled)
            await session.close()
        }

        @Test func droppingASessionClosesIt() async throws {
            let server = try await ZooKeeperServer.start()
            let (other, events) = try await openSession(server.connectString)
            do {
                let (session, _) = try await openSession(server.connectString, timeoutMilliseconds: 10_000)
                try await session.create("/a", data: [], ephemeral: true)
                #expect(try await other.exists("/a", watch: true) != nil)
            }
            try await events.wait(for: .deleted(path: "/a"), seconds: 5)
            await other.close()
        }

        @Test func openingAndClosingLeavesNothing() async throws {
            let server = try await ZooKeeperServer.start()
            func cycles(_ count: Int) async throws {
                for _ in 0..<count {
                    let (session, _) = try await openSession(server.connectString)
                    _ = try await session.children(of: "/", watch: true)
                    _ = try await session.exists("/a", watch: true)
                    await session.close()
                }
            }
            try await cycles(50)
            let before = try (resident: residentBytes(), threads: count("/proc/self/task"), descriptors: count("/proc/self/fd"))
            try await cycles(200)
            // A leaked session would keep two threads, three descriptors and some 100 KB of touched stack and heap.
            // (Fails under AddressSanitizer, which keeps what is freed for a while.)
            #expect(try residentBytes() - before.resident < 10_000_000)
            #expect(try count("/proc/self/task") - before.threads < 50)
            #expect(try count("/proc/self/fd") - before.descriptors < 50)
        }
    }
}

private func residentBytes() throws -> Int {
    let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")[1]
    return try #require(Int(pages)) * 4_096
}

private func count(_ folder: String) throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: folder).count
}
