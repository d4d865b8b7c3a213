// The C library's log: how much of it passes, and that it arrives in swift-log without the library's own prefix.

import Logging
import TestSupport
import Testing

@testable import ZooKeeperClient

@Suite struct LogRateLimitTests {
    @Test func aWindowLetsPassSoMuchAndTheNextSaysWhatItHeldBack() {
        var limit = LogRateLimit()
        let start = ContinuousClock.now
        for _ in 0..<LogRateLimit.linesPerWindowMax { #expect(limit.admit(at: start) == 0) }
        for _ in 0..<7 { #expect(limit.admit(at: start + .seconds(1)) == nil) }
        #expect(limit.admit(at: start + LogRateLimit.window) == 7)
        #expect(limit.admit(at: start + LogRateLimit.window) == 0)
    }
}

extension ZooKeeperTests {
    @Test func theLibraryLogsToTheSessionsLogger() async throws {
        let lines = RecordedLines()
        let logger = Logger(label: "recorded") { _ in lines }
        let session = try ZooKeeperSession(
            servers: "127.0.0.1:\(FreePorts.take(1)[0])", sessionTimeoutMilliseconds: 1_000, logger: logger, onEvent: { _ in })
        try await eventually(within: 10, "a line about the dead port") { lines.all.contains { $0.contains("refused") } }
        await session.close()
        #expect(lines.all.allSatisfy { $0.hasPrefix("ZOO_") })
    }
}
