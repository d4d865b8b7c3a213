// The log: a reader that hangs holds up nobody, and learns what it has missed.

import Foundation
import Logging
import TestSupport
import Testing

@testable import RingpostNode

@Suite struct LogOutputTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder("log") }

    private static func logger(_ log: LogOutput, _ level: Logger.Level = .info) -> Logger {
        Logger(label: "ringpost.n1") { log.handler(label: $0, level: level) }
    }

    @Test func linesLookAsSwiftLogWritesThem() async throws {
        let path = folder.file("log")
        // It goes with its last reference.
        defer { withExtendedLifetime(folder) {} }
        let descriptor = open(path, O_WRONLY | O_CREAT, 0o600)
        defer { close(descriptor) }
        let log = LogOutput(descriptor: descriptor)
        let logger = Self.logger(log)
        logger.debug("not this")
        logger.warning("this", metadata: ["a": "1"])
        await log.flush()
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let form = #"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4} warning ringpost\.n1: a=1 \[RingpostNodeTests\] this\n$"#
        #expect(text.range(of: form, options: .regularExpression) != nil, "\(text)")
        #expect(log.counts.written == 1 && log.counts.lost == 0)
    }

    /// Written by whoever logs, the pipe would hold this up for good.
    @Test func aReaderThatHangsHoldsUpNobodyAndIsToldWhatIsMissing() async throws {
        let pipe = Pipe()
        let log = LogOutput(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        let logger = Self.logger(log)
        let count = 3 * LogOutput.waitingBytesMax / 1_000
        for number in 0..<count { logger.info("\(number) \(String(repeating: "x", count: 1_000))") }
        let lost = log.counts.lost
        #expect(lost > 0)
        // Somebody waits for it for a bounded time only.
        await log.flush()
        #expect(log.counts.written < count)

        let reader = Lines(pipe.fileHandleForReading)
        try await eventually(within: 30, "what waits is read") { log.counts.written == UInt64(count) - lost }
        logger.info("the end")
        try await eventually(within: 30, "the end is read") { reader.lines.last?.hasSuffix("the end") == true }
        // The thread that writes may have made room for some lines among those that are lost: each gap has a notice.
        let notices = reader.lines.filter { $0.contains("are missing here") }
        let missing = notices.map { notice in
            let text = notice.split(separator: " warning ringpost: lines=").last?.prefix { $0 != " " }
            return text.flatMap { UInt64($0) } ?? 0
        }
        #expect(missing.reduce(0, +) == lost && !missing.contains(0), "\(notices)")
        #expect(reader.lines.count == count - Int(lost) + 1 + notices.count)
        // What came through is in order, and whole.
        let end = " " + String(repeating: "x", count: 1_000)
        let numbers = reader.lines.filter { $0.hasSuffix(end) }
            .compactMap { $0.dropLast(end.count).split(separator: " ").last.flatMap { Int($0) } }
        #expect(numbers.count == count - Int(lost) && numbers == numbers.sorted())
    }

    /// Whoever shares a terminal with the node may have made it so.
    @Test func aDescriptorThatWouldNotBlockLosesNothing() async throws {
        let pipe = Pipe()
        let descriptor = pipe.fileHandleForWriting.fileDescriptor
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        let log = LogOutput(descriptor: descriptor)
        for _ in 0..<200 { Self.logger(log).info("\(String(repeating: "x", count: 1_000))") }
        let reader = Lines(pipe.fileHandleForReading)
        try await eventually(within: 30, "all are read") { reader.lines.count == 200 }
        #expect(log.counts.lost == 0)
    }
}

/// Reads a pipe to its end on a thread of its own.
private final class Lines: @unchecked Sendable {
    private let lock = NSLock()
    private var text = Data()

    init(_ file: FileHandle) {
        Thread.detachNewThread {
            while true {
                let data = file.availableData
                if data.isEmpty { return }
                self.lock.withLock { self.text += data }
            }
        }
    }

    var lines: [Substring] {
        String(decoding: lock.withLock { text }, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    }
}
