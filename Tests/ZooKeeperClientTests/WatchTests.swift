// Watches: they fire once, say what happened, outlast a lost connection, and are not used up by what happens to the connection.

import TestSupport
import Testing
import ZooKeeperClient

extension ZooKeeperTests {
    @Suite struct Watches {
        @Test func aWatchFiresOnceAndCanBeSetAgain() async throws {
            let server = try await ZooKeeperServer.start()
            let (session, events) = try await openSession(server.connectString)
            let (other, _) = try await openSession(server.connectString)
            try await session.create("/m", data: [])
            for round in 0..<3 {
                events.clear()
                #expect(try await session.children(of: "/m", watch: true).names.count == 2 * round)
                // Watching twice is watching once.
                _ = try await session.children(of: "/m", watch: true)
                try await other.create("/m/a\(round)", data: [])
                try await events.wait(for: .childrenChanged(path: "/m"))
                // Not watched: the next fence shows that nothing came of it. Events and answers of one session come in order.
                try await other.create("/m/b\(round)", data: [])
                try await session.sync("/m")
                _ = try await session.children(of: "/m")
                #expect(events.events == [.childrenChanged(path: "/m")])
            }
            await session.close()
            await other.close()
        }

        @Test func existsWatchesWhatIsAndWhatIsNot() async throws {
            let server = try await ZooKeeperServer.start()
            let (session, events) = try await openSession(server.connectString)
            events.clear()
            #expect(try await session.exists("/a", watch: true) == nil)
            try await session.create("/a", data: [])
            try await events.wait(for: .created(path: "/a"))
            #expect(try await session.exists("/a", watch: true) != nil)
            try await session.set("/a", data: [1])
            try await events.wait(for: .dataChanged(path: "/a"))
            #expect(try await session.exists("/a", watch: true) != nil)
            _ = try await session.children(of: "/a", watch: true)
            try await session.delete("/a")
            try await events.wait(for: .deleted(path: "/a"))
            #expect(try await session.exists("/a") == nil)
            #expect(events.events == [.created(path: "/a"), .dataChanged(path: "/a"), .deleted(path: "/a")], "each once")
            await session.close()
        }

        @Test func aWatchOutlastsALostConnection() async throws {
            let server = try await ZooKeeperServer.start()
            let (session, events) = try await openSession(server.connectString, timeoutMilliseconds: 10_000)
            try await session.create("/m", data: [])
            _ = try await session.children(of: "/m", watch: true)
            for _ in 0..<2 {
                events.clear()
                try await server.restart()
                try await events.waitForConnection()
                #expect(events.events.count == 2, "connecting and connected, each once, though a znode's watch hears of them too")
            }
            events.clear()
            try await session.create("/m/a", data: [])
            try await events.wait(for: .childrenChanged(path: "/m"))
            await session.close()
        }
    }
}
