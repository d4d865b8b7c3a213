// The PROXY protocol, byte by byte: both versions, what is none, what is cut, what is too long.

import NIOCore
import RingpostCore
import RingpostWire
import Testing

@Suite struct ProxyHeaderTests {
    private static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]

    /// What was read, and what is left.
    private static func read(_ bytes: [UInt8]) throws -> (beginning: ProxyHeader.Beginning, left: [UInt8]) {
        var buffer = ByteBuffer(bytes: bytes)
        let beginning = try ProxyHeader.read(from: &buffer)
        return (beginning, Array(buffer.readableBytesView))
    }

    private static func named(_ text: String) throws -> ProxyHeader.Beginning { .present(.named(try #require(SourceAddress(text)))) }

    private static func record(_ command: UInt8, _ family: UInt8, _ rest: [UInt8], length: Int? = nil) -> [UInt8] {
        let length = length ?? rest.count
        return signature + [command, family, UInt8(length >> 8), UInt8(length & 0xFF)] + rest
    }

    /// Every beginning of a header is one that may go on, and what follows it stays.
    private static func expect(_ header: [UInt8], _ expected: ProxyHeader.Beginning, sourceLocation: SourceLocation = #_sourceLocation)
        throws
    {
        for count in header.indices {
            #expect(try read(Array(header[..<count])).beginning == .incomplete, "\(count) bytes", sourceLocation: sourceLocation)
        }
        let (beginning, left) = try read(header + Array("GET / HTTP/1.1\r\n".utf8))
        #expect(beginning == expected, sourceLocation: sourceLocation)
        #expect(left == Array("GET / HTTP/1.1\r\n".utf8), sourceLocation: sourceLocation)
    }

    @Test func versionOne() throws {
        try Self.expect(Array("PROXY TCP4 203.0.113.7 10.0.0.1 4711 80\r\n".utf8), Self.named("203.0.113.7"))
        try Self.expect(Array("PROXY TCP6 2001:db8::7 ::1 0 65535\r\n".utf8), Self.named("2001:db8::7"))
        try Self.expect(Array("PROXY UNKNOWN\r\n".utf8), .present(.own))
        try Self.expect(Array("PROXY UNKNOWN ffff::1 whatever it says\r\n".utf8), .present(.own))
    }

    @Test(arguments: [
        "PROXY \r\n", "PROXY TCP4\r\n", "PROXY TCP4 203.0.113.7 10.0.0.1 4711\r\n", "PROXY TCP4 203.0.113.7 10.0.0.1 4711 80 9\r\n",
        "PROXY TCP4  203.0.113.7 10.0.0.1 4711 80\r\n", "PROXY TCP4 2001:db8::7 ::1 1 2\r\n", "PROXY TCP6 203.0.113.7 10.0.0.1 1 2\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 65536 80\r\n", "PROXY TCP4 203.0.113.7 10.0.0.1 080 80\r\n",
        "PROXY TCP4 203.0.113.7 10.0.0.1 -1 80\r\n",
        "PROXY TCP4 203.0.113.999 10.0.0.1 1 2\r\n", "PROXY TCP4 203.0.113.7 nowhere 1 2\r\n", "PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
        "PROXY UDP4 203.0.113.7 10.0.0.1 1 2\r\n", "PROXY tcp4 203.0.113.7 10.0.0.1 1 2\r\n", "PROXY TCP4 203.0.113.7 10.0.0.1 1 2\n",
    ])
    func versionOneThatIsNone(line: String) { #expect(throws: ProxyHeaderError.malformed) { try Self.read(Array(line.utf8)) } }

    @Test func versionTwo() throws {
        let v4: [UInt8] = [203, 0, 113, 7, 10, 0, 0, 1, 1, 2, 0, 80]
        try Self.expect(Self.record(0x21, 0x11, v4), Self.named("203.0.113.7"))
        try Self.expect(Self.record(0x21, 0x11, v4 + [0x20, 0, 1, 7]), Self.named("203.0.113.7"))
        let v6: [UInt8] = [0x20, 0x01, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [7] + [UInt8](repeating: 1, count: 20)
        try Self.expect(Self.record(0x21, 0x21, v6), Self.named("2001:db8::7"))
        try Self.expect(Self.record(0x20, 0x00, []), .present(.own))
        try Self.expect(Self.record(0x20, 0x11, v4), .present(.own))
        try Self.expect(Self.record(0x21, 0x00, [1, 2, 3]), .present(.own))
        try Self.expect(Self.record(0x21, 0x31, [UInt8](repeating: 0, count: 216)), .present(.own))
    }

    @Test func versionTwoThatIsNone() {
        let v4: [UInt8] = [203, 0, 113, 7, 10, 0, 0, 1, 1, 2, 0, 80]
        for record in [
            Self.record(0x11, 0x11, v4), Self.record(0x22, 0x11, v4), Self.record(0x21, 0x12, v4),
            Self.record(0x21, 0x11, Array(v4.prefix(11))),
            Self.record(0x21, 0x21, v4), Self.record(0x21, 0x41, v4),
        ] { #expect(throws: ProxyHeaderError.malformed, "\(record)") { try Self.read(record) } }
    }

    @Test func aHeaderIsBounded() throws {
        let line = Array(("PROXY UNKNOWN " + String(repeating: "x", count: 200)).utf8)
        #expect(try Self.read(Array(line.prefix(ProxyHeader.lineBytesMax - 1))).beginning == .incomplete)
        #expect(throws: ProxyHeaderError.tooLong) { try Self.read(line) }
        #expect(throws: ProxyHeaderError.tooLong) { try Self.read(line + [0x0D, 0x0A]) }
        let most = [UInt8](repeating: 0, count: ProxyHeader.recordBytesMax)
        #expect(try Self.read(Self.record(0x20, 0, most)).beginning == .present(.own))
        #expect(throws: ProxyHeaderError.tooLong, "before it is here") { try Self.read(Self.record(0x20, 0, [], length: most.count + 1)) }
    }

    @Test(arguments: ["GET / HTTP/1.1\r\n", "POST ", "PUT", "\r\nGET", "\r\n\r\nx", "PROXYTCP4", "proxy TCP4 ", "\u{16}\u{3}\u{1}"])
    func whatIsSomethingElseStays(text: String) throws {
        let (beginning, left) = try Self.read(Array(text.utf8))
        #expect(beginning == .absent)
        #expect(left == Array(text.utf8))
    }
}
