// Sessions with credentials: what they make is theirs, also after a reconnection, and nobody sees the password.

import TestSupport
import Testing
import ZooKeeperClient

extension ZooKeeperTests {
    @Suite struct Credentials {
        private func alice() throws -> ZooKeeperCredentials { try #require(ZooKeeperCredentials(user: "alice", password: "secret")) }

        /// What everything ends with that somebody else tries with a znode and its children.
        private func attempts(_ session: ZooKeeperSession, _ path: String) async -> [ZooKeeperError.Kind?] {
            [
                await failure { () throws(ZooKeeperError) in _ = try await session.get(path) },
                await failure { () throws(ZooKeeperError) in _ = try await session.children(of: path) },
                await failure { () throws(ZooKeeperError) in try await session.set(path, data: [1]) },
                await failure { () throws(ZooKeeperError) in try await session.create("\(path)/x", data: []) },
                await failure { () throws(ZooKeeperError) in try await session.setAccess(path, .anybody) },
                await failure { () throws(ZooKeeperError) in _ = try await session.permissions(of: path) },
                await failure { () throws(ZooKeeperError) in try await session.multi([.create(path: "\(path)/x", data: [])]) },
            ]
        }

        @Test func whatASessionMakesIsItsOwn() async throws {
            let server = try await ZooKeeperServer.start()
            let (owner, _) = try await openSession(server.connectString, credentials: try alice())
            try await owner.create("/a", data: [7])
            try await owner.create("/a/b", data: [])
            try await owner.multi([.create(path: "/a/c", data: []), .create(path: "/a/d", data: [], ephemeral: true)])
            for path in ["/a", "/a/b", "/a/c", "/a/d"] {
                let list = try await owner.permissions(of: path)
                #expect(list.map(\.scheme) == ["digest"] && list.map(\.permissions) == [31])
                #expect(list.allSatisfy { $0.id.hasPrefix("alice:") && !$0.id.contains("secret") && !$0.isForAnybody })
            }
            let others = [("alice", "Secret"), ("bob", "secret")].map { ZooKeeperCredentials(user: $0, password: $1) }
            for credentials in [nil] + others {
                let (stranger, _) = try await openSession(server.connectString, credentials: credentials)
                #expect(await attempts(stranger, "/a") == Array(repeating: .noAuth, count: 7))
                #expect(await failure { () throws(ZooKeeperError) in try await stranger.delete("/a/b") } == .noAuth)
                #expect(await failure { () throws(ZooKeeperError) in try await stranger.multi([.delete(path: "/a/c")]) } == .noAuth)
                await stranger.close()
            }
            // The same user from elsewhere, and on its own wish everybody.
            let (again, _) = try await openSession(server.connectString, credentials: try alice())
            #expect(try await again.get("/a").data == [7])
            try await again.create("/open", data: [1], access: .anybody)
            try await again.setAccess("/a", .anybody)
            let (nobody, _) = try await openSession(server.connectString)
            #expect(try await nobody.get("/open").data == [1])
            #expect(try await nobody.get("/a").data == [7])
            #expect(try await nobody.permissions(of: "/open").map(\.isForAnybody) == [true])
            for session in [owner, again, nobody] { await session.close() }
        }

        @Test func aSessionThatConnectsAgainIsStillTheSameUser() async throws {
            let server = try await ZooKeeperServer.start()
            let (session, events) = try await openSession(
                server.connectString, timeoutMilliseconds: 10_000, credentials: try alice())
            try await session.create("/a", data: [1])
            for round in 1...3 {
                events.clear()
                server.kill()
                try await events.wait(for: .connecting)
                try await server.start()
                // Asked before anybody knows of the connection: the credentials go ahead of what waits.
                try await eventually(within: 20, "an answer") {
                    let kind = await failure { () throws(ZooKeeperError) in _ = try await session.set("/a", data: [UInt8(round)]) }
                    #expect(kind != .noAuth)
                    return kind == nil
                }
                try await session.create("/a/\(round)", data: [])
                #expect(try await session.permissions(of: "/a/\(round)").map(\.scheme) == ["digest"])
            }
            await session.close()
        }

        @Test func aServerThatKnowsNoDigestsRefuses() async throws {
            let server = try await ZooKeeperServer.start(properties: ["zookeeper.DigestAuthenticationProvider.enabled=false"])
            let (session, events) = try beginSession(server.connectString, credentials: try alice())
            try await events.wait(for: .authenticationFailed)
            #expect(await failure { () throws(ZooKeeperError) in _ = try await session.get("/") } == .authFailed)
            #expect(events.events.filter { $0 == .authenticationFailed }.count == 1)
            await session.close()
            let (nobody, _) = try await openSession(server.connectString)
            #expect(try await nobody.exists("/") != nil)
            await nobody.close()
        }

        @Test func whatNamesNobodyIsRefused() throws {
            let bad = [("", "x"), ("a", ""), ("a:b", "x"), ("a\0", "x"), ("a", "x\ny"), ("a", String(repeating: "x", count: 511))]
            for (user, password) in bad { #expect(ZooKeeperCredentials(user: user, password: password) == nil) }
            for line in ["", "alice", ":x", "alice:", "alice:x\ny", "alice:x\n\n"] { #expect(ZooKeeperCredentials(line: line) == nil) }
            let expected = ZooKeeperCredentials(user: "alice", password: "se:cret")
            for line in ["alice:se:cret", "alice:se:cret\n", "alice:se:cret\r\n"] { #expect(ZooKeeperCredentials(line: line) == expected) }
        }

        @Test func thePasswordIsNeverShown() throws {
            struct Holder {
                let credentials: ZooKeeperCredentials?
            }
            let credentials = try alice()
            var dumped = ""
            dump(Holder(credentials: credentials), to: &dumped)
            let texts = [
                "\(credentials)", String(reflecting: credentials), "\(Holder(credentials: credentials))", "\([credentials])", dumped,
                String(reflecting: Holder(credentials: credentials)),
            ]
            for text in texts {
                #expect(!text.contains("secret"), "\(text)")
                #expect(text.contains("alice"))
            }
        }
    }
}
