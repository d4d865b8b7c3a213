// A host and a port, as options and announcements write them.

/// Where a port listens.
public struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
    /// A name or an address.
    public let host: String
    /// 0 takes any free port.
    public let port: Int

    /// An address that needs no reading.
    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads "host:port"; an IPv6 host stands in brackets. `nil` for anything else.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]), (0...65_535).contains(port) else {
            return nil
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() } else if host.contains(":") { return nil }
        if host.isEmpty { return nil }
        self.init(host: String(host), port: port)
    }

    /// host:port, as `init(_:)` reads it.
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
