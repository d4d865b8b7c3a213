// Whom limits count a connection for, and that nobody can choose that.

import Testing

@testable import RingpostCore

@Suite struct SourceAddressTests {
    @Test(
        arguments: [
            ("127.0.0.1", 0xFFFF_7F00_0001), ("0.0.0.0", 0xFFFF_0000_0000), ("255.255.255.255", 0xFFFF_FFFF_FFFF),
            ("::ffff:10.0.0.1", 0xFFFF_0A00_0001), ("::ffff:a00:1", 0xFFFF_0A00_0001), ("::", 0), ("::1", 1),
            ("0:0:0:0:0:0:0:1", 1), ("::1%eth0", 1),
        ] as [(String, UInt64)])
    func addressesOfTheLowHalf(text: String, low: UInt64) {
        #expect(SourceAddress(text) == SourceAddress(high: 0, low: low))
    }

    @Test(
        arguments: [
            ("2001:db8::1", 0x2001_0DB8_0000_0000, 1), ("2001:DB8:1:2:3:4:5:6", 0x2001_0DB8_0001_0002, 0x0003_0004_0005_0006),
            ("1::", 0x0001_0000_0000_0000, 0), ("1:2:3:4:5:6:7::", 0x0001_0002_0003_0004, 0x0005_0006_0007_0000),
            ("::2:3:4:5:6:7:8", 0x0000_0002_0003_0004, 0x0005_0006_0007_0008),
            ("64:ff9b::192.0.2.33", 0x0064_FF9B_0000_0000, 0xC000_0221),
        ] as [(String, UInt64, UInt64)])
    func addresses(text: String, high: UInt64, low: UInt64) {
        #expect(SourceAddress(text) == SourceAddress(high: high, low: low))
    }

    @Test(arguments: [
        "", " ", "localhost", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.", ".1.2.3", "1.2.3.4 ", "01.2.3.0004", "+1.2.3.4", "1.2.3.-4",
        "0x7f.0.0.1", "127.1", "2130706433", ":", ":::", "1:2", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", ":1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:", "1:2:3:4:5:6:7:8::", "12345::", "g::", "+1::", "-1::", "::1.2.3", "1.2.3.4::", "[::1]", "1.2.3.4:80", "١.2.3.4",
    ])
    func garbageIsNoAddress(text: String) { #expect(SourceAddress(text) == nil) }

    @Test func hostsOfOneNetworkCountTogether() throws {
        let one = try #require(SourceAddress("2001:db8:1:2:3:4:5:6"))
        let same = try #require(SourceAddress("2001:db8:1:2:ffff::1"))
        let other = try #require(SourceAddress("2001:db8:1:3:3:4:5:6"))
        #expect(one != same && one.counted == same.counted && one.counted != other.counted)
        let four = try #require(SourceAddress("10.0.0.1"))
        #expect(four.isIPv4 && four.counted == four && !one.isIPv4)
        #expect(try #require(SourceAddress("10.0.0.2")).counted != four.counted)
        #expect(try #require(SourceAddress("::ffff:10.0.0.1")).counted == four.counted, "one host is not two")
    }

    // MARK: Ranges

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.1.2", true), ("10.0.0.0/8", "11.0.0.1", false), ("10.0.0.1", "10.0.0.1", true),
        ("10.0.0.1", "10.0.0.2", false), ("10.0.0.1/32", "10.0.0.2", false), ("10.1.2.3/16", "10.1.9.9", true),
        ("0.0.0.0/0", "9.9.9.9", true), ("0.0.0.0/0", "2001:db8::1", false), ("::/0", "2001:db8::1", true),
        ("2001:db8::/32", "2001:db8:ffff::1", true), ("2001:db8::/32", "2001:db9::1", false),
        ("2001:db8::/65", "2001:db8::7fff:0:0:1", true), ("2001:db8::/65", "2001:db8::8000:0:0:1", false),
        ("10.0.0.0/8", "::ffff:10.0.0.1", true), ("::1", "::1", true), ("::1", "::2", false),
    ])
    func whatLiesInARange(range: String, address: String, isInside: Bool) throws {
        #expect(try #require(AddressRange(range)).contains(try #require(SourceAddress(address))) == isInside)
    }

    @Test(arguments: ["", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "::/129", "10.0.0.0/8/8", "10.0.0/8", "all", "10.0.0.0/x"])
    func whatIsNoRange(text: String) { #expect(AddressRange(text) == nil) }

    @Test func whatIsThisMachine() {
        for text in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] { #expect(SourceAddress(text)?.isLoopback == true, "\(text)") }
        for text in ["128.0.0.1", "10.0.0.1", "::2", "::"] { #expect(SourceAddress(text)?.isLoopback == false, "\(text)") }
    }
}
