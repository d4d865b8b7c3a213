// Servers that stop, pause and forget: what a session hears of it, and what becomes of its requests.

import TestSupport
import Testing
import ZooKeeperClient

extension ZooKeeperTests {
    @Suite struct Connection {
        @Test func aSessionSurvivesTheRestartOfItsServer() async throws {
            let server = try await ZooKeeperServer.start()
            let (session, events) = try await openSession(server.connectString, timeoutMilliseconds: 10_000)
            let id = session.sessionID
            #expect(events.events == [.connected(sessionID: id, negotiatedTimeoutMilliseconds: 10_000)])
            #expect(session.negotiatedTimeoutMilliseconds == 10_000)
            try await session.create("/a", data: [], ephemeral: true)
            events.clear()

            server.kill()
            try await events.wait(for: .connecting)
            #expect(await failure { () throws(ZooKeeperError) in _ = try await session.get("/a") } == .connectionLoss)
            try await server.start()
            try await events.waitForConnection()
            #expect(events.events == [.connecting, .connected(sessionID: id, negotiatedTimeoutMilliseconds: 10_000)])
            #expect(try await session.get("/a").stat.ephemeralOwner == id)
            await session.close()
        }

        @Test func aSessionSurvivesAnOutageLongerThanItsTimeout() async throws {
            let server = try await ZooKeeperServer.start()
            let (session, events) = try await openSession(server.connectString, timeoutMilliseconds: 6_000)
            let id = session.sessionID
            try await session.create("/a", data: [], ephemeral: true)
            events.clear()
            server.kill()
            // Not a wait for something: the length of the outage is what is tested. A server that comes back starts all clocks anew.
            try await Task.sleep(for: .seconds(7))
            try await server.start()
            try await events.waitForConnection()
            #expect(events.events == [.connecting, .connected(sessionID: id, negotiatedTimeoutMilliseconds: 6_000)])
            #expect(try await session.get("/a").stat.ephemeralOwner == id)
            await session.close()
        }

        @Test func theServerGrantsAnotherTimeout() async throws {
            let server = try await ZooKeeperServer.start(tickTimeMilliseconds: 500)
            let (session, events) = try await openSession(server.connectString, timeoutMilliseconds: 100)
            #expect(session.negotiatedTimeoutMilliseconds == 1_000)
            #expect(events.events == [.connected(sessionID: session.sessionID, negotiatedTimeoutMilliseconds: 1_000)])
            await session.close()
        }

        @Test func aPausedServerEndsRequestsWithinTheTimeout() async throws {
            let server = try await ZooKeeperServer.start()
            let (session, events) = try await openSession(server.connectString, timeoutMilliseconds: 3_000)
            try await session.create("/a", data: [])
            events.clear()
            server.pause()
            let kind = await failure { () throws(ZooKeeperError) in try await session.sync("/a") }
            #expect(kind == .operationTimeout || kind == .connectionLoss)
            try await events.wait(for: .connecting)
            server.resume()
            try await eventually(within: 20, "a connection or the expiry") { events.isConnected || events.events.contains(.expired) }
            await session.close()
        }

        @Test func anExpiredSessionSaysSoAndFailsAllRequests() async throws {
            let server = try await ZooKeeperServer.start()
            let (session, events) = try await openSession(server.connectString)
            let (other, otherEvents) = try await openSession(server.connectString)
            try await session.create("/a", data: [], ephemeral: true)
            #expect(try await other.exists("/a", watch: true) != nil)

            try await server.expireSession(session.sessionID)
            try await otherEvents.wait(for: .deleted(path: "/a"))
            try await events.wait(for: .expired)
            let parts: [ZooKeeperOperation] = [.delete(path: "/a"), .create(path: "/b", data: [1]), .delete(path: "/c")]
            #expect(await failure { () throws(ZooKeeperError) in _ = try await session.get("/a") } == .sessionExpired)
            #expect(await failure { () throws(ZooKeeperError) in try await session.create("/a", data: []) } == .sessionExpired)
            #expect(await failure { () throws(ZooKeeperError) in try await session.sync("/a") } == .sessionExpired)
            #expect(await failure { () throws(ZooKeeperError) in try await session.multi(parts) } == .sessionExpired)
            #expect(!otherEvents.events.contains(.expired))
            await session.close()
            #expect(await failure { () throws(ZooKeeperError) in _ = try await session.get("/a") } == .closing)
            #expect(events.events.filter { $0 == .expired }.count == 1)
            await other.close()
        }

        @Test func requestsUnderWayEndWithTheExpiry() async throws {
            let server = try await ZooKeeperServer.start()
            for _ in 0..<5 {
                let (session, events) = try await openSession(server.connectString)
                await withTaskGroup(of: Void.self) { group in
                    for _ in 0..<4 {
                        group.addTask {
                            // Asks until it is told: the loop ends only if every single request ends.
                            while await failure({ () throws(ZooKeeperError) in try await session.sync("/") }) != .sessionExpired {}
                        }
                    }
                    group.addTask {
                        await #expect(throws: Never.self) { try await server.expireSession(session.sessionID) }
                    }
                }
                try await events.wait(for: .expired)
                await session.close()
            }
        }

        @Test func aClientLearnsOfItsExpiryWhenItsServerIsBack() async throws {
            let ensemble = try await ZooKeeperEnsemble.start(servers: 3)
            let follower = try #require(ensemble.followers.first)
            let (session, events) = try await openSession(follower.connectString, timeoutMilliseconds: 1_000)
            let (other, otherEvents) = try await openSession(try #require(ensemble.leader).connectString)
            try await session.create("/a", data: [], ephemeral: true)
            try await other.sync("/a")
            #expect(try await other.exists("/a", watch: true) != nil)

            follower.pause()
            // The others give the session up; its client can't know, and only hears that there is no connection.
            try await otherEvents.wait(for: .deleted(path: "/a"))
            try await events.wait(for: .connecting)
            #expect(!events.events.contains(.expired))
            follower.resume()
            try await events.wait(for: .expired, seconds: 30)
            await session.close()
            await other.close()
            await ensemble.stop()
        }

        @Test func aSessionMovesToAnotherServerWhenTheLeaderDies() async throws {
            let ensemble = try await ZooKeeperEnsemble.start(servers: 3)
            let leader = try #require(ensemble.leader)
            let (session, events) = try await openSession(ensemble.connectString, timeoutMilliseconds: 8_000)
            let id = session.sessionID
            try await session.create("/a", data: [7], ephemeral: true)
            leader.kill()
            try await eventually(within: 30, "an answer from the others") {
                await failure { () throws(ZooKeeperError) in try await session.sync("/a") } == nil
            }
            let read = try await session.get("/a")
            #expect(read.data == [7] && read.stat.ephemeralOwner == id)
            #expect(!events.events.contains(.expired))
            await session.close()
            await ensemble.stop()
        }
    }
}
