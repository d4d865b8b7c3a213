// Every limit can be set, within its range, and stands in the README.

import Foundation
import RingpostCore
import Testing

@testable import RingpostNode

@Suite struct LimitTableTests {
    private static func fault(_ text: String) -> String? {
        var limits = NodeLimits()
        do throws(NodeError) {
            try limits.set(text)
            return nil
        } catch {
            return error.description
        }
    }

    /// The range of a limit, as its sentence says it.
    private static func range(_ limit: Limit) throws -> ClosedRange<Int> {
        let sentence = try #require(fault("\(limit.rawValue)=-1"))
        let match = try #require(try #/takes a number from (\d+) to (\d+), not -1/#.firstMatch(in: sentence), "\(sentence)")
        return try #require(Int(match.1))...(try #require(Int(match.2)))
    }

    @Test(arguments: Limit.allCases)
    func everyLimitCanBeSetWithinItsRange(limit: Limit) throws {
        let range = try Self.range(limit)
        for value in [range.lowerBound, range.upperBound] {
            var limits = NodeLimits()
            try limits.set("\(limit.rawValue)=\(value)")
            #expect(limits.value(of: limit) == value)
            for other in Limit.allCases where other != limit {
                #expect(limits.value(of: other) == NodeLimits().value(of: other), "\(limit.rawValue) is not \(other.rawValue)")
            }
        }
        #expect(range.lowerBound > 0, "nothing can be switched off by a 0")
        for value in [range.lowerBound - 1, range.upperBound + 1, Int.min, Int.max] {
            #expect(Self.fault("\(limit.rawValue)=\(value)")?.contains("limit \(limit.rawValue) takes") == true, "\(value)")
        }
    }

    @Test(arguments: Limit.allCases)
    func everyDefaultLiesInItsRange(limit: Limit) throws {
        guard let value = NodeLimits().value(of: limit) else { return }
        #expect(try Self.range(limit).contains(value))
    }

    @Test func whatIsNoLimitIsRefused() {
        for text in ["", "=", "sockets", "sockets=", "=5", "socket=5", "Sockets=5", "sockets =5"] {
            #expect(Self.fault(text)?.contains("is not name=number") == true, "\(text)")
        }
        for text in ["sockets=many", "sockets= 5", "sockets=5.0", "sockets=0x5", "sockets=1=2", "sockets=99999999999999999999"] {
            #expect(Self.fault(text)?.contains("takes a whole number") == true, "\(text)")
        }
    }

    @Test(arguments: Limit.allCases)
    func everyLimitStandsInTheReadme(limit: Limit) throws {
        let path = NSString.path(withComponents: URL(fileURLWithPath: #filePath).pathComponents.dropLast(4) + ["README.md"])
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        let row = try #require(lines.first { $0.hasPrefix("| `\(limit.rawValue)` |") }, "README.md has no row | `\(limit.rawValue)` |")
        guard let value = NodeLimits().value(of: limit) else { return }
        let cells = row.split(separator: "|").map { $0.filter { $0 != "," && $0 != " " } }
        #expect(cells.dropFirst().contains { $0.contains("\(value)") }, "its default is \(value): \(row)")
    }
}
