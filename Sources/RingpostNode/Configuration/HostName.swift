// What a host in a setting is: a name, or an address in any of the spellings that the system's resolver takes (127.1, ::0,
// ::ffff:0.0.0.0). Checks compare addresses, never spellings.
import Glibc

/// Host names and numeric addresses.
public enum HostName {
    /// 253 characters is what DNS can carry (RFC 1035, 2.3.4).
    private static let bytesMax = 253

    /// Whether the text is a numeric address, or letters, digits, dots, hyphens and underscores as in names.
    public static func isValid(_ host: String) -> Bool {
        if numeric(host) != nil { return true }
        return (1...bytesMax).contains(host.utf8.count)
            && host.utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || [0x2D, 0x2E, 0x5F].contains(byte)
            }
            && host.utf8.contains { (0x61...0x7A).contains($0 | 0x20) }
    }

    /// The 16 bytes of a numeric address, an IPv4 one as ::ffff:a.b.c.d; `nil` for a name. Nothing is looked up.
    static func numeric(_ host: String) -> [UInt8]? {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, nil, &hints, &list) == 0, let first = list else { return nil }
        defer { freeaddrinfo(first) }
        guard let address = first.pointee.ai_addr else { return nil }
        switch first.pointee.ai_family {
        case AF_INET:
            return address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF] + withUnsafeBytes(of: $0.pointee.sin_addr) { Array($0) }
            }
        case AF_INET6:
            return address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { withUnsafeBytes(of: $0.pointee.sin6_addr) { Array($0) } }
        default: return nil
        }
    }

    /// Whether it means every address of the machine.
    static func isWildcard(_ host: String) -> Bool {
        guard let bytes = numeric(host) else { return false }
        return bytes.allSatisfy { $0 == 0 } || isMapped(bytes) && bytes.suffix(4).allSatisfy { $0 == 0 }
    }

    /// 127.0.0.0/8, ::1 and "localhost". Any other name may mean anything, and counts as reachable by others.
    static func isLoopback(_ host: String) -> Bool {
        if host.lowercased() == "localhost" { return true }
        // In full: what a resolver makes of 127.1 is its own affair, and no port is left open because of that.
        var address = in_addr()
        guard let bytes = numeric(host), host.contains(":") || inet_pton(AF_INET, host, &address) == 1 else { return false }
        if isMapped(bytes) { return bytes[12] == 127 }
        return bytes.dropLast().allSatisfy { $0 == 0 } && bytes[15] == 1
    }

    private static func isMapped(_ bytes: [UInt8]) -> Bool { bytes.prefix(10).allSatisfy { $0 == 0 } && bytes[10...11] == [0xFF, 0xFF] }
}

extension ListenAddress {
    /// Every address of the machine, in whatever spelling.
    public var isWildcard: Bool { HostName.isWildcard(host) }
}
