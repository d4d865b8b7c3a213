// Holds what can be counted against its limits: a change that makes a message cost one more piece of memory, or a frame some bytes more, is
// noticed here, and not by a clock.
import Foundation
import TestSupport
import Testing

@Suite struct CountTests {
    /// Without optimization everything is counted several times over, and under a sanitizer nothing is.
    private static var isOptimized: Bool { ProcessInfo.processInfo.environment["RINGPOST_OPTIMIZED"] != nil }

    private static func counted() async throws -> [CountFigure] {
        let process = try ChildProcess(BuiltProgram.path("microbench"), arguments: ["--counts"])
        let status = try await process.waitForExit(deadlineSeconds: 60)
        try #require(status == 0, "microbench ended with \(status): \(process.output)")
        return try process.output.split(separator: "\n").map { try JSONDecoder().decode(CountFigure.self, from: Data($0.utf8)) }
    }

    @Test(.enabled(if: isOptimized)) func nothingCostsMoreThanItMay() async throws {
        let figures = try await Self.counted()
        #expect(Set(figures.map(\.name)).count == figures.count, "a name is there twice")
        for limit in CountLimit.all { if let complaint = limit.complaint(about: figures) { Issue.record(Comment(rawValue: complaint)) } }
        let limited = Set(CountLimit.all.map(\.name))
        for figure in figures where !limited.contains(figure.name) { Issue.record("\(figure.name): has no limit") }
    }

    @Test(.enabled(if: isOptimized)) func countsRepeat() async throws {
        let first = try await Self.counted()
        let second = try await Self.counted()
        #expect(first == second)
    }

    @Test func aLimitComplains() {
        let limit = CountLimit(name: "allocations.append", most: 1)
        func complaint(_ value: Double) -> String? {
            limit.complaint(about: [CountFigure(name: limit.name, value: value, unit: "allocations an operation")])
        }
        #expect(complaint(1) == nil)
        #expect(complaint(2) == "allocations.append: 2.0 allocations an operation, at most 1.0 allowed")
        #expect(limit.complaint(about: []) == "allocations.append: nobody counts it any more")
    }
}
