// Whom a connection or request is for, where it comes through a proxy. Nobody is believed who is not named: everybody may write into a
// header what they like, and a proxy that hands on what its client has written lets that client choose its address.

/// Who may say for whom a connection is.
public struct TrustedProxies: Sendable, Equatable {
    /// Addresses of one header that are looked at, from the back.
    public static let hopsMax = 16

    private let ranges: [AddressRange]

    /// - Parameter ranges: where the proxies are.
    public init(_ ranges: [AddressRange]) { self.ranges = ranges }

    /// Nobody is believed.
    public static let nobody = TrustedProxies([])

    /// Whether nobody is believed.
    public var isEmpty: Bool { ranges.isEmpty }

    /// Whether what this address says is believed.
    public func trusts(_ address: SourceAddress) -> Bool { ranges.contains { $0.contains(address) } }

    /// Whom a connection is counted for before it has said anything; `nil` for nobody: a proxy has many clients, and who is on this machine
    /// itself can do it more harm than by connecting.
    public func connectionSource(_ peer: SourceAddress?) -> SourceAddress? {
        guard let peer, !peer.isLoopback, !trusts(peer) else { return nil }
        return peer.counted
    }

    /// Whom a request is counted for; `nil` for this machine itself, unless it is named as a proxy. A proxy that names nobody, or whose
    /// headers don't agree, is counted itself.
    ///
    /// - Parameters:
    ///   - peer: the other end of the connection, or whom the proxy's first bytes have named.
    ///   - chains: what each header says: the client first, then each proxy's own peer; `nil` for one that can't be read. The last
    ///     ``hopsMax`` count.
    public func source(peer: SourceAddress?, chains: [[String?]]) -> SourceAddress? {
        guard let peer else { return nil }
        guard trusts(peer) else { return peer.isLoopback ? nil : peer.counted }
        let named = chains.map(client)
        guard let first = named.first, let first, named.allSatisfy({ $0 == first }) else { return peer.counted }
        return first
    }

    /// From the back: the first that no trusted proxy has vouched for is the client, whatever it has written in front of itself.
    private func client(_ chain: [String?]) -> SourceAddress? {
        for hop in chain.suffix(Self.hopsMax).reversed() {
            guard let hop, let address = Self.address(hop) else { return nil }
            if !trusts(address) { return address.counted }
        }
        return nil
    }

    /// `203.0.113.7`, `203.0.113.7:4711`, `[2001:db8::1]:4711` or `2001:db8::1`.
    private static func address(_ hop: String) -> SourceAddress? {
        var text = hop.drop { $0 == " " || $0 == "\t" }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        if text.first == "[" { return SourceAddress(text.dropFirst().prefix { $0 != "]" }) }
        if text.utf8.count(where: { $0 == UInt8(ascii: ":") }) == 1 { text = text.prefix { $0 != ":" } }
        return SourceAddress(text)
    }
}
