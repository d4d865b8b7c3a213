// Every limit can be set, within its range, and stands in its document.

import RingpostCore
import RingpostWire
import TestSupport
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
        // To keep nothing is less than any bound; to keep for any time still has the others.
        let mayBeZero = limit == .historyMessages || limit == .historySeconds
        #expect(range.lowerBound > 0 || mayBeZero, "nothing can be switched off by a 0")
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

    @Test func theDocumentIsWhatTheProgramWrites() throws {
        let written = Markdown.lines(LimitsDocument.markdown())
        let kept = Markdown.lines(try Documents.text("docs/guide/limits.md"))
        for (written, kept) in zip(written, kept) { #expect(kept == written, "ringpost limits --markdown >docs/guide/limits.md") }
        #expect(kept.count == written.count)
    }

    @Test func theReadmeNamesTheLinkProtocol() throws {
        #expect(try Documents.text("README.md").contains("link protocol \(LinkProtocol.version), "))
    }
}
