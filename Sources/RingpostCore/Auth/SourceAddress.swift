// Where a client comes from, as limits count it: the address of the connection, or what a proxy that is trusted says (TrustedProxies).
import HashRing

/// An address that limits are counted by: all of an IPv4 address; of an IPv6 address the first 64 bits, because one host has them all.
public struct SourceAddress: Hashable, Sendable {
    /// Sixteen bytes, IPv4 mapped (RFC 4291, 2.5.5.2).
    let high: UInt64
    let low: UInt64

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// - Parameter ipv4: the address as a number: 127.0.0.1 is 0x7F000001.
    public init(ipv4: UInt32) {
        self.init(high: 0, low: 0xFFFF_0000_0000 | UInt64(ipv4))
    }

    /// - Parameter ipv6: the sixteen bytes in network order; `nil` if there are more or fewer.
    public init?(ipv6: UnsafeRawBufferPointer) {
        if ipv6.count != 16 { return nil }
        self.init(
            high: UInt64(bigEndian: ipv6.loadUnaligned(as: UInt64.self)),
            low: UInt64(bigEndian: ipv6.loadUnaligned(fromByteOffset: 8, as: UInt64.self)))
    }

    /// Reads a numeric address, without a port or brackets; `nil` for anything else.
    public init?(_ text: some StringProtocol) {
        if text.utf8.contains(UInt8(ascii: ":")) {
            guard let words = Self.words(text) else { return nil }
            high = words[0] << 48 | words[1] << 32 | words[2] << 16 | words[3]
            low = words[4] << 48 | words[5] << 32 | words[6] << 16 | words[7]
        } else {
            guard let address = Self.dotted(text) else { return nil }
            high = 0
            low = 0xFFFF_0000_0000 | address
        }
    }

    /// An IPv4 address, also one that is written as IPv6.
    public var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

    /// This machine itself: 127.0.0.0/8 and ::1.
    public var isLoopback: Bool { AddressRange.loopback.contains { $0.contains(self) } }

    /// What is counted together: see the type.
    public var counted: SourceAddress { isIPv4 ? self : SourceAddress(high: high, low: 0) }

    /// The first 48 bits of an IPv6 address: what one site is given, with 65,536 of the networks that are counted together.
    var site: SourceAddress? { isIPv4 ? nil : SourceAddress(high: high & ~0xFFFF, low: 0) }

    private static func dotted(_ text: some StringProtocol) -> UInt64? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var address: UInt64 = 0
        for part in parts {
            guard (1...3).contains(part.utf8.count), part.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let byte = UInt8(part) else {
                return nil
            }
            address = address << 8 | UInt64(byte)
        }
        return address
    }

    private static func words(_ text: some StringProtocol) -> [UInt64]? {
        // A zone names an interface of this host, not another address.
        let text = text.prefix { $0 != "%" }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard (3...9).contains(parts.count) else { return nil }
        var words: [UInt64] = []
        var gap: Int?
        for (index, part) in parts.enumerated() {
            if part.isEmpty {
                // "::", at either end with one empty part more.
                if index == 0 || index == parts.count - 1 {
                    if parts[index == 0 ? 1 : index - 1].isEmpty { continue }
                    return nil
                }
                guard gap == nil else { return nil }
                gap = words.count
            } else if index == parts.count - 1, let address = dotted(part) {
                words += [address >> 16, address & 0xFFFF]
            } else {
                guard part.utf8.count <= 4, let word = UInt16(part, radix: 16), part.first != "+", part.first != "-" else { return nil }
                words.append(UInt64(word))
            }
        }
        if let gap {
            guard words.count < 8 else { return nil }
            words.insert(contentsOf: [UInt64](repeating: 0, count: 8 - words.count), at: gap)
        }
        return words.count == 8 ? words : nil
    }
}

/// A network: an address and how many of its bits count.
public struct AddressRange: Hashable, Sendable {
    private let address: SourceAddress
    private let bits: Int

    /// Reads `10.0.0.0/8`, `2001:db8::/32` or a single address; `nil` for anything else.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let address = SourceAddress(parts[0]) else { return nil }
        let most = parts[0].contains(":") ? 128 : 32
        guard let bits = parts.count == 2 ? UInt8(parts[1]).map(Int.init) : most, bits <= most else { return nil }
        self.address = address
        self.bits = bits + 128 - most
    }

    private init(address: SourceAddress, bits: Int) {
        self.address = address
        self.bits = bits
    }

    /// 127.0.0.0/8 and ::1.
    public static let loopback = [
        AddressRange(address: SourceAddress(high: 0, low: 0xFFFF_7F00_0000), bits: 104),
        AddressRange(address: SourceAddress(high: 0, low: 1), bits: 128),
    ]

    /// Whether the address lies in it.
    public func contains(_ other: SourceAddress) -> Bool {
        func same(_ one: UInt64, _ other: UInt64, _ bits: Int) -> Bool { bits <= 0 || (one ^ other) >> UInt64(64 - min(bits, 64)) == 0 }
        return same(address.high, other.high, bits) && same(address.low, other.low, bits - 64)
    }
}

extension Principal {
    /// A client whom nobody asked who it is, by where it comes from.
    public init(source: SourceAddress, hasher: KeyHasher) {
        let counted = source.counted
        self = withUnsafeBytes(of: (counted.high, counted.low)) { Principal(.source, $0, hasher: hasher) }
    }
}
