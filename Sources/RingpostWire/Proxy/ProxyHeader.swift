// The PROXY protocol, versions 1 and 2 (haproxy.org, doc/proxy-protocol.txt): what a proxy that only passes bytes on says first on each
// connection, so that the server knows whom it is for. It is read from those alone who are trusted; from anybody else it would be a way to
// choose one's address.
import NIOCore
import RingpostCore

/// What a proxy's first bytes say.
public enum ProxyHeader: Hashable, Sendable {
    /// The connection is for somebody who came from there.
    case named(SourceAddress)
    /// The connection is the proxy's own, as a health check, or it doesn't say whom it is for.
    case own

    /// The longest line of version 1, with its end.
    public static let lineBytesMax = 107
    /// What a header of version 2 may have behind its first ``fixedBytes``: addresses, and records that are not looked at.
    public static let recordBytesMax = 2_048

    static let fixedBytes = 16
    private static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    private static let word = Array("PROXY ".utf8)

    /// What stands at a connection's beginning.
    public enum Beginning: Hashable, Sendable {
        /// It may be one when more bytes are here.
        case incomplete
        /// It is something else.
        case absent
        case present(ProxyHeader)
    }

    /// Reads a header from the front of a buffer, and takes nothing else out of it.
    ///
    /// - Throws: that it begins as one and is none.
    public static func read(from buffer: inout ByteBuffer) throws(ProxyHeaderError) -> Beginning {
        let (beginning, count) = try buffer.withUnsafeReadableBytes { bytes throws(ProxyHeaderError) in try read(bytes) }
        buffer.moveReaderIndex(forwardBy: count)
        return beginning
    }

    private static func read(_ bytes: UnsafeRawBufferPointer) throws(ProxyHeaderError) -> (Beginning, Int) {
        for (start, whole) in [(word, readLine), (signature, readRecord)] where zip(bytes, start).allSatisfy({ $0 == $1 }) {
            return bytes.count < start.count ? (.incomplete, 0) : try whole(bytes)
        }
        return (.absent, 0)
    }

    // MARK: Version 1

    private static func readLine(_ bytes: UnsafeRawBufferPointer) throws(ProxyHeaderError) -> (Beginning, Int) {
        let line = bytes.prefix(lineBytesMax)
        guard let end = line.firstIndex(of: 0x0A) else {
            if line.count == lineBytesMax { throw .tooLong }
            return (.incomplete, 0)
        }
        guard end > 0, line[end - 1] == 0x0D else { throw .malformed }
        let parts = line[..<(end - 1)].split(separator: 0x20, omittingEmptySubsequences: false).map { String(decoding: $0, as: UTF8.self) }
        // Whatever follows this word is not to be read.
        if parts.count > 1, parts[1] == "UNKNOWN" { return (.present(.own), end + 1) }
        guard parts.count == 6, ["TCP4", "TCP6"].contains(parts[1]), isPort(parts[4]), isPort(parts[5]) else { throw .malformed }
        let isIPv4 = parts[1] == "TCP4"
        guard let source = address(parts[2], isIPv4: isIPv4), address(parts[3], isIPv4: isIPv4) != nil else { throw .malformed }
        return (.present(.named(source)), end + 1)
    }

    private static func isPort(_ text: String) -> Bool {
        guard (1...5).contains(text.utf8.count), text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = Int(text) else {
            return false
        }
        return port <= 65_535 && (text == "0" || text.first != "0")
    }

    private static func address(_ text: String, isIPv4: Bool) -> SourceAddress? {
        guard text.utf8.contains(UInt8(ascii: ":")) != isIPv4, !text.utf8.contains(UInt8(ascii: "%")) else { return nil }
        return SourceAddress(text)
    }

    // MARK: Version 2

    private static func readRecord(_ bytes: UnsafeRawBufferPointer) throws(ProxyHeaderError) -> (Beginning, Int) {
        guard bytes.count >= fixedBytes else { return (.incomplete, 0) }
        let (version, command) = (bytes[12] >> 4, bytes[12] & 0x0F)
        let length = Int(bytes[14]) << 8 | Int(bytes[15])
        guard version == 2, command <= 1 else { throw .malformed }
        if length > recordBytesMax { throw .tooLong }
        guard bytes.count >= fixedBytes + length else { return (.incomplete, 0) }
        let rest = UnsafeRawBufferPointer(rebasing: bytes[fixedBytes..<(fixedBytes + length)])
        let header: ProxyHeader = command == 0 ? .own : try source(family: bytes[13], rest).map { .named($0) } ?? .own
        return (.present(header), fixedBytes + length)
    }

    /// - Parameter family: the addresses' kind, and the transport's.
    private static func source(family: UInt8, _ bytes: UnsafeRawBufferPointer) throws(ProxyHeaderError) -> SourceAddress? {
        switch family {
        case 0x11:
            guard bytes.count >= 12 else { throw .malformed }
            return SourceAddress(ipv4: UInt32(bigEndian: bytes.loadUnaligned(as: UInt32.self)))
        case 0x21:
            guard bytes.count >= 36 else { throw .malformed }
            return SourceAddress(ipv6: UnsafeRawBufferPointer(rebasing: bytes[..<16]))
        // Unspecified, or a socket of the proxy's own machine: neither names anybody.
        case 0x00, 0x31: return nil
        default: throw .malformed
        }
    }
}

/// What is wrong with a header of the PROXY protocol.
public enum ProxyHeaderError: String, Error, Hashable, Sendable {
    case malformed = "what a proxy says first is no header of the PROXY protocol"
    case tooLong = "what a proxy says first is longer than a header of the PROXY protocol may be"
}
