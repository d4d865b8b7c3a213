// The audit log: lines that are whole, a file that can be moved away, and nobody who waits for a disk.

import Foundation
import Logging
import TestSupport
import Testing

@testable import RingpostNode

@Suite struct AuditLogTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder("audit") }

    private func log(_ path: String? = nil) -> AuditLog {
        AuditLog(path: path ?? folder.file("audit"), node: "n1", logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    private func lines(_ name: String = "audit") throws -> [[String: Any]] {
        let text = try String(contentsOfFile: folder.file(name), encoding: .utf8)
        return try text.split(separator: "\n").map { try #require(try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]) }
    }

    private static func order(_ name: String, on target: String = "n2") -> AuditEntry {
        AuditEntry(order: name, on: target, key: "abc", from: "127.0.0.1:1").with(result: "done")
    }

    @Test func anOrderIsALine() async throws {
        let log = log()
        try log.open()
        log.record(Self.order("drain"))
        log.record(Self.order("weight 7", on: "a\nb\u{202E}\u{9B}"))
        await log.close()
        let lines = try lines()
        #expect(lines.count == 2 && log.counts.written == 2)
        #expect(lines[0]["order"] as? String == "drain" && lines[0]["on"] as? String == "n2" && lines[0]["key"] as? String == "abc")
        #expect(lines[0]["node"] as? String == "n1" && lines[0]["result"] as? String == "done" && lines[0]["event"] as? String == "order")
        #expect((lines[0]["time"] as? String)?.range(of: #"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"#, options: .regularExpression) != nil)
        #expect(lines[1]["on"] as? String == "a\nb\u{202E}\u{9B}", "as it was")
        let raw = try Data(contentsOf: URL(fileURLWithPath: folder.file("audit")))
        #expect(!String(decoding: raw, as: UTF8.self).unicodeScalars.contains("\u{202E}"), "but not as it was written")
        let mode = try FileManager.default.attributesOfItem(atPath: folder.file("audit"))[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test func timesAreInUTC() {
        #expect(AuditEntry.time(0) == "1970-01-01T00:00:00.000Z" && AuditEntry.time(1_795_000_000_045) == "2026-11-18T11:06:40.045Z")
    }

    @Test func aFileThatWasMovedAwayIsBegunAnew() async throws {
        let log = log()
        try log.open()
        log.record(Self.order("one"))
        await log.close()
        try FileManager.default.moveItem(atPath: folder.file("audit"), toPath: folder.file("audit.1"))
        log.record(Self.order("two"))
        await log.close()
        log.reopen()
        log.record(Self.order("three"))
        await log.close()
        #expect(try lines("audit.1").map { $0["order"] as? String } == ["one", "two"])
        #expect(try lines().map { $0["order"] as? String } == ["three"])
    }

    @Test func refusalsAreSampledAndTheOthersCounted() async throws {
        let log = log()
        try log.open()
        for _ in 0..<1_000 { log.recordRefusal(AuditEntry(refused: "token", result: "expired", from: "127.0.0.1:1")) }
        log.record(Self.order("drain"))
        await log.close()
        let lines = try lines()
        let burst = 2 * AuditLog.refusalsPerSecond
        #expect((burst...2 * burst).contains(lines.count), "\(lines.count)")
        #expect(log.counts.omitted + UInt64(lines.count) == 1_001 && lines.last?["order"] as? String == "drain")
        log.record(Self.order("weight"))
        await log.close()
        let told = try self.lines().compactMap { $0["omitted"] as? UInt64 }.reduce(0, +)
        #expect(told == log.counts.omitted)
    }

    /// A device that is always full.
    @Test func linesThatAFullDiskRefusesAreLostAndCounted() async throws {
        let log = log("/dev/full")
        try log.open()
        for _ in 0..<100 { log.record(Self.order("drain")) }
        await log.close()
        #expect(log.counts.lost == 100 && log.counts.written == 0)
    }

    /// A pipe that nobody reads takes some bytes and no more.
    @Test func aSlowDiskHoldsUpNobody() async throws {
        let path = folder.file("pipe")
        #expect(mkfifo(path, 0o600) == 0)
        let reader = open(path, O_RDONLY | O_NONBLOCK)
        defer { close(reader) }
        let log = log(path)
        // Whoever writes when the reader is gone would end the tests.
        signal(SIGPIPE, SIG_IGN)
        try log.open()
        // Written here and now, the pipe would hold this up for good.
        for _ in 0..<3 * AuditLog.waitingMax { log.record(Self.order("drain", on: String(repeating: "x", count: 100))) }
        #expect(log.counts.lost > 0)
        await log.close()
        #expect(log.counts.written < UInt64(AuditLog.waitingMax))
    }

    /// What was left out is told by the first line that the disk takes.
    @Test func whatAFullDiskHasLostIsToldLater() async throws {
        let path = folder.file("moved")
        #expect(symlink("/dev/full", path) == 0)
        let log = log(path)
        try log.open()
        for _ in 0..<3 { log.record(Self.order("drain")) }
        await log.close()
        log.record(Self.order("drain"))
        await log.close()
        #expect(log.counts.lost == 4)
        #expect(unlink(path) == 0)
        log.reopen()
        log.record(Self.order("weight"))
        await log.close()
        #expect(try lines("moved").map { $0["lost"] as? Int } == [4])
    }

    @Test func whatCannotBeOpenedStopsTheStart() {
        #expect(throws: NodeError.self) { try log("/nowhere/audit").open() }
    }

    @Test func otherKeysAreNamed() {
        #expect(AuditEntry(keys: "api-keys", from: ["a": 1], to: ["a": 1]) == nil)
        let entry = AuditEntry(keys: "api-keys", from: ["a": 1, "b": 1, "c": 1], to: ["b": 2, "c": 1, "d": 1])
        #expect(entry?.added == ["d"] && entry?.removed == ["a"] && entry?.changed == ["b"] && entry?.on == "api-keys")
        let many = Dictionary(uniqueKeysWithValues: (0..<100).map { ("\($0)", 1) })
        #expect(AuditEntry(keys: "api-keys", from: [:], to: many)?.added?.count == AuditEntry.namesMax + 1)
    }
}
