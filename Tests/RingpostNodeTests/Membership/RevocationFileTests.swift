// Revocations of a node without ZooKeeper over its restarts, which each have another secret to hash names with.

import Foundation
import HashRing
import Logging
import RingpostCore
import Synchronization
import TestSupport
import Testing

@testable import RingpostNode

@Suite struct RevocationFileTests {
    /// 2096.
    private static let until: Int64 = 4_000_000_000
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder("revocations") }

    /// Runs a node; returns the list that it began with, and what it was told to people at its end.
    private func live(
        _ body: (MembershipService, KeyHasher) async throws -> Void
    ) async throws -> (first: RevocationList, notes: Set<RevocationNote>) {
        let lists = Mutex<[RevocationList]>([])
        let view = Mutex<MembershipView?>(nil)
        var hooks = MembershipHooks()
        hooks.onView = { next in view.withLock { $0 = next } }
        hooks.onRevocations = { list in lists.withLock { $0.append(list) } }
        let me = Member(id: "a", boot: 0, weight: 1, protocolVersion: 1, client: "a:1", api: "a:2", link: "a:3")
        var configuration = MembershipConfiguration(servers: nil, cluster: "test", me: me)
        configuration.revocationsFile = folder.file("revocations")
        let service = MembershipService(
            configuration: configuration, hooks: hooks, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let hasEnded = Mutex(false)
        let running = Task {
            defer { hasEnded.withLock { $0 = true } }
            try await service.run()
        }
        // One that can't begin ends before its first list.
        try await eventually(within: 30, "the first list") { !lists.withLock { $0.isEmpty } || hasEnded.withLock { $0 } }
        if hasEnded.withLock({ $0 }) { try await running.value }
        let hasher = try #require(view.withLock { $0 }).hasher
        try await body(service, hasher)
        let notes = try await service.revocationNotes()
        await service.leave(clearingRoster: true)
        try await running.value
        return (lists.withLock { $0[0] }, Set(notes))
    }

    private func key(_ name: String, _ hasher: KeyHasher) throws -> Key { try Key(.user, name: Array(name.utf8), hasher: hasher) }

    /// One of each kind, and one that is over.
    private func revokeSome(_ service: MembershipService, _ hasher: KeyHasher) async throws {
        try await service.revoke(.user(try key("alice", hasher)), until: Self.until, now: 100)
        try await service.revoke(.token(try key("bob", hasher), id: "t"), until: Self.until, now: 100, maker: "tenant")
        try await service.revoke(.key(id: "k", issuedBefore: nil), until: Self.until, now: 100)
        try await service.revoke(.everybody(issuedBefore: 50), until: Self.until, now: 100)
        try await service.revoke(.user(try key("gone", hasher)), until: 1_000, now: 100)
    }

    @Test func itKeepsThemOverRestarts() async throws {
        let old = try await live { try await revokeSome($0, $1) }
        #expect(old.first == RevocationList() && old.notes.count == 5)
        let new = try await live { _, _ in }
        #expect(new.first.count == 4 && new.notes == old.notes.filter { $0.user != "gone" }, "what has expired meanwhile is over")
        let last = try await live { service, hasher in
            let list = await service.machine.revocationList
            let alice = try key("alice", hasher).hash
            #expect(list.revokes(user: alice, tokenHash: nil, issuedAt: 100) && !list.revokes(user: alice, tokenHash: nil, issuedAt: 101))
            let token = Revocation.tokenHash("t", hasher: hasher)
            #expect(list.revokes(user: try key("bob", hasher).hash, tokenHash: token, issuedAt: 500))
            #expect(list.revokesSigned(by: Revocation.keyHash("k", hasher: hasher), issuedAt: 500))
            #expect(list.revokesSigned(by: nil, issuedAt: 50) && !list.revokesSigned(by: nil, issuedAt: 51))
        }
        #expect(last.notes == new.notes)
        let mode = try FileManager.default.attributesOfItem(atPath: folder.file("revocations"))[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test func whatCannotBeKeptIsNotRevoked() async throws {
        _ = try await live { service, hasher in
            try await revokeSome(service, hasher)
            // Where the draft is written stands something else.
            try FileManager.default.createDirectory(atPath: folder.file("revocations.new"), withIntermediateDirectories: false)
            let count = await service.machine.revocationList.count
            await #expect(throws: RevocationFailure.self) {
                try await service.revoke(.everybody(issuedBefore: 60), until: Self.until, now: 100)
            }
            #expect(await service.machine.revocationList.count == count, "nor is it in force")
        }
    }

    @Test(arguments: [
        #"{"user":"alice""#, "{}", #"{"until":5}"#, #"{"user":"","issuedBefore":1,"until":5}"#, "\u{0}", "[]",
        #"{"key":"k","key":"l","until":5}"#,
    ])
    func aFileThatCannotBeReadStopsTheStart(text: String) async throws {
        try folder.write(text + "\n", to: "revocations")
        await #expect(throws: MembershipFailure.self) { _ = try await live { _, _ in } }
        #expect(try String(contentsOfFile: folder.file("revocations"), encoding: .utf8) == text + "\n", "nothing was changed")
    }

    /// Whoever may write it could take a revocation out.
    @Test func aFileThatOthersMayWriteStopsTheStart() async throws {
        try folder.write("", to: "revocations")
        _ = try await live { _, _ in }
        try FileManager.default.setAttributes([.posixPermissions: 0o666], ofItemAtPath: folder.file("revocations"))
        await #expect(throws: MembershipFailure.self) { _ = try await live { _, _ in } }
    }
}
