// Requests against one real server: what they answer, what they refuse, and what they do to the metadata that the epoch is read from.

import TestSupport
import Testing
import ZooKeeperClient

extension ZooKeeperTests {
    @Suite struct Requests {
        @Test func aZNodeIsCreatedReadSetAndDeleted() async throws {
            let server = try await ZooKeeperServer.start()
            let (session, _) = try await openSession(server.connectString)
            let binary: [UInt8] = [0, 255, 10, 0, 7]
            try await session.create("/a", data: binary)
            let created = try await session.get("/a")
            #expect(created.data == binary)
            #expect(created.stat.version == 0 && created.stat.ephemeralOwner == 0)
            #expect(created.stat.czxid == created.stat.mzxid && created.stat.createdMilliseconds > 0)

            let set = try await session.set("/a", data: [], version: 0)
            #expect(set.version == 1 && set.mzxid > created.stat.mzxid)
            let emptied = try await session.get("/a")
            #expect(emptied.data.isEmpty)
            #expect(emptied.stat == set)
            #expect(try await session.exists("/a") == set)

            try await session.delete("/a", version: 1)
            #expect(try await session.exists("/a") == nil)
            await session.close()
        }

        @Test func whatCannotBeDoneIsNamed() async throws {
            let server = try await ZooKeeperServer.start()
            let (session, _) = try await openSession(server.connectString)
            try await session.create("/a", data: [1])
            try await session.create("/a/b", data: [])
            #expect(await failure { () throws(ZooKeeperError) in try await session.create("/a", data: []) } == .nodeExists)
            #expect(await failure { () throws(ZooKeeperError) in try await session.create("/x/y", data: []) } == .noNode)
            #expect(await failure { () throws(ZooKeeperError) in try await session.delete("/a") } == .notEmpty)
            #expect(await failure { () throws(ZooKeeperError) in try await session.delete("/a/b", version: 7) } == .badVersion)
            #expect(await failure { () throws(ZooKeeperError) in try await session.set("/a", data: [], version: 7) } == .badVersion)
            #expect(await failure { () throws(ZooKeeperError) in _ = try await session.children(of: "/x") } == .noNode)
            let error = await #expect(throws: ZooKeeperError.self) { _ = try await session.get("/none") }
            #expect(error == ZooKeeperError(code: -101, operation: "get", path: "/none"))
            #expect(error?.description == "ZooKeeper could not get /none: no node (code -101).")
            await session.close()
        }

        @Test func whatTheLibraryMustNotSeeIsRefused() async throws {
            let server = try await ZooKeeperServer.start()
            let (session, _) = try await openSession(server.connectString)
            for path in ["", "a", "/a/", "//a", "/a/../b", "/./a", "/a\u{0}b", "/a\nb"] {
                #expect(await failure { () throws(ZooKeeperError) in _ = try await session.get(path) } == .badArguments)
                let parts: [ZooKeeperOperation] = [.check(path: "/"), .delete(path: path), .delete(path: "/c")]
                #expect(await failure { () throws(ZooKeeperError) in try await session.multi(parts) } == .badArguments)
            }
            let tooLarge = [UInt8](repeating: 1, count: 1_000_000)
            #expect(await failure { () throws(ZooKeeperError) in try await session.create("/a", data: tooLarge) } == .badArguments)
            // The largest allowed does not cost the connection.
            let largest = [UInt8](tooLarge.dropLast(2))
            try await session.create("/a", data: largest)
            #expect(try await session.get("/a").data == largest)
            #expect(throws: ZooKeeperError.self) { try beginSession("") }
            #expect(throws: ZooKeeperError.self) { try beginSession(server.connectString, timeoutMilliseconds: 0) }
            await session.close()
        }

        @Test func anEphemeralZNodeGoesWithItsSession() async throws {
            let server = try await ZooKeeperServer.start()
            let (owner, _) = try await openSession(server.connectString)
            let (other, events) = try await openSession(server.connectString)
            try await owner.create("/a", data: [], ephemeral: true)
            let stat = try await other.exists("/a", watch: true)
            #expect(stat?.ephemeralOwner == owner.sessionID)
            #expect(owner.sessionID != 0 && owner.sessionID != other.sessionID)
            await owner.close()
            try await events.wait(for: .deleted(path: "/a"))
            #expect(try await other.exists("/a") == nil)
            await other.close()
        }

        @Test func theEpochChangesWithTheChildrenAndNothingElse() async throws {
            let server = try await ZooKeeperServer.start()
            let (session, _) = try await openSession(server.connectString)
            try await session.create("/m", data: [])
            let empty = try await session.children(of: "/m")
            #expect(empty.names.isEmpty)
            #expect(empty.stat.pzxid == empty.stat.czxid)

            try await session.create("/m/a", data: [])
            let one = try await session.children(of: "/m").stat
            let child = try await session.get("/m/a").stat
            #expect(one.pzxid > empty.stat.pzxid)
            #expect(one.pzxid == child.czxid)

            try await session.set("/m/a", data: [1])
            try await session.set("/m", data: [1])
            #expect(try await session.children(of: "/m").stat.pzxid == one.pzxid)

            try await session.delete("/m/a")
            #expect(try await session.children(of: "/m").stat.pzxid > one.pzxid)
            await session.close()
        }

        @Test func manyRequestsAreAnsweredInParallel() async throws {
            let server = try await ZooKeeperServer.start()
            let (session, _) = try await openSession(server.connectString)
            let count = 500
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<count {
                    group.addTask { try await session.create("/n\(number)", data: [UInt8(number % 256)]) }
                }
                try await group.waitForAll()
            }
            let children = try await session.children(of: "/")
            #expect(children.names.count == count + 1, "and /zookeeper")
            #expect(try await session.get("/n300").data == [44])
            await session.close()
        }
    }
}
