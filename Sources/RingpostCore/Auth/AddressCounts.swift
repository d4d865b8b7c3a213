// How many of something each source address has: a bound for one address, and a wider one for an IPv6 site, which has 65,536 of the networks
// that count as one address.

/// Counts by source address; not more entries than there are things counted.
public struct AddressCounts: Sendable {
    /// What an IPv6 site (/48) may have, as a multiple of what one of its networks (/64) may.
    public static let siteFactor = 4

    private let perAddress: Int
    private let perSite: Int
    private var addresses: [SourceAddress: Int] = [:]
    private var sites: [SourceAddress: Int] = [:]

    /// - Parameters:
    ///   - perAddress: of one address.
    ///   - perSite: of one IPv6 site.
    public init(perAddress: Int, perSite: Int) {
        self.perAddress = perAddress
        self.perSite = perSite
    }

    /// Addresses that have any.
    public var count: Int { addresses.count }

    /// Whether one more would be taken.
    public func hasRoom(for source: SourceAddress) -> Bool {
        if addresses[source.counted, default: 0] >= perAddress { return false }
        return source.site.map { sites[$0, default: 0] < perSite } ?? true
    }

    /// One more; false if there are as many as there may be.
    public mutating func open(_ source: SourceAddress) -> Bool {
        guard hasRoom(for: source) else { return false }
        addresses[source.counted, default: 0] += 1
        if let site = source.site { sites[site, default: 0] += 1 }
        return true
    }

    /// One that was counted has gone.
    public mutating func close(_ source: SourceAddress) {
        Self.releaseOne(from: &addresses, source.counted)
        if let site = source.site { Self.releaseOne(from: &sites, site) }
    }

    static func releaseOne<Name: Hashable>(from counts: inout [Name: Int], _ name: Name) {
        guard let count = counts[name] else { return }
        counts[name] = count > 1 ? count - 1 : nil
    }
}
