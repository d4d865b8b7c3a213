// The kernel's table of descriptors.

import Foundation
import Testing

@testable import RingpostNode

@Suite struct DescriptorLimitTests {
    @Test func theTableIsAsLargeAsItMayBecome() throws {
        DescriptorLimit.makeRoom()
        let lines = try String(contentsOfFile: "/proc/self/status", encoding: .utf8).split(separator: "\n")
        let size = lines.first { $0.hasPrefix("FDSize:") }?.split(separator: "\t").last.flatMap { Int($0) }
        #expect(try #require(size) >= min(DescriptorLimit.now, DescriptorLimit.roomMax))
    }
}
