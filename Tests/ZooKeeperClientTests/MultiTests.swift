// Multi-operations: all or nothing, one transaction, and a failure that names its part.

import TestSupport
import Testing
import ZooKeeperClient

extension ZooKeeperTests {
    @Suite struct Multi {
        @Test func allPartsAreOneTransaction() async throws {
            let server = try await ZooKeeperServer.start()
            let (session, _) = try await openSession(server.connectString)
            try await session.create("/m", data: [])
            try await session.create("/m/a", data: [1], ephemeral: true)
            let before = try await session.children(of: "/m").stat

            // A change of weight, as members do it.
            try await session.multi([.delete(path: "/m/a"), .create(path: "/m/a", data: [2], ephemeral: true)])
            let after = try await session.children(of: "/m")
            let child = try await session.get("/m/a")
            #expect(after.names == ["a"])
            #expect(child.data == [2] && child.stat.ephemeralOwner == session.sessionID)
            #expect(after.stat.pzxid == child.stat.czxid, "one transaction did all of it")
            #expect(after.stat.childVersion == before.childVersion + 2, "though two children changed")

            try await session.multi([
                .check(path: "/m", version: 0), .set(path: "/m", data: [9], version: 0), .create(path: "/m/b", data: []),
                .create(path: "/m/b/c", data: [3]),
            ])
            #expect(try await session.get("/m").data == [9])
            #expect(try await session.get("/m/b/c").data == [3])
            try await session.multi([])
            await session.close()
        }

        @Test func aFailingPartUndoesAllAndIsNamed() async throws {
            let server = try await ZooKeeperServer.start()
            let (session, _) = try await openSession(server.connectString)
            try await session.create("/m", data: [])
            let before = try await session.children(of: "/m").stat

            let attempts: [(parts: [ZooKeeperOperation], error: ZooKeeperError)] = [
                (
                    [.create(path: "/m/a", data: []), .delete(path: "/m/none"), .create(path: "/m/b", data: [])],
                    ZooKeeperError(code: -101, operation: "delete", path: "/m/none")
                ),
                (
                    [.check(path: "/m", version: 5), .create(path: "/m/a", data: [])],
                    ZooKeeperError(code: -103, operation: "check", path: "/m")
                ),
                (
                    [.create(path: "/m/a", data: []), .create(path: "/m/a", data: [])],
                    ZooKeeperError(code: -110, operation: "create", path: "/m/a")
                ),
                (
                    [.create(path: "/m/a", data: []), .set(path: "/m", data: [], version: 3)],
                    ZooKeeperError(code: -103, operation: "set", path: "/m")
                ),
            ]
            for attempt in attempts {
                let error = await #expect(throws: ZooKeeperError.self) { try await session.multi(attempt.parts) }
                #expect(error == attempt.error)
            }
            let after = try await session.children(of: "/m")
            #expect(after.names.isEmpty)
            #expect(after.stat == before)
            await session.close()
        }

        @Test func withoutAConnectionAllOfItFailsAtOnce() async throws {
            let (session, _) = try beginSession("127.0.0.1:\(FreePorts.take(1)[0])")
            let parts: [ZooKeeperOperation] = [.delete(path: "/a"), .create(path: "/b", data: [1]), .delete(path: "/c")]
            for _ in 0..<100 {
                let error = await #expect(throws: ZooKeeperError.self) { try await session.multi(parts) }
                #expect(error?.kind == .connectionLoss && error?.operation == "multi")
            }
            await session.close()
        }
    }
}
