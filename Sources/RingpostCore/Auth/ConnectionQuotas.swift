// How many sockets a node has of each user and from each source address, and how fast an address comes: so that nobody takes the room
// that others need. A node's, not the cluster's: what one node can't know without asking others, it does not wait for.
import HashRing

/// Counts sockets by user and by source address.
public struct ConnectionQuotas: Sendable {
    /// Addresses whose rate is remembered, and IPv6 sites; beyond it those are forgotten that have been quiet, and if there are none, new
    /// ones are not slowed.
    public static let addressesMax = 65_536
    /// So many seconds' worth an address may bring at once.
    public static let burstSeconds = 4.0

    /// What was too much.
    public enum Refusal: Equatable, Sendable {
        case user
        case address
    }

    private let perUser: Int
    private var users: [UInt64: Int] = [:]
    private var addresses: AddressCounts
    private var rates: AddressRates
    /// Of IPv6 sites: who has one has 65,536 of the addresses above, and could fill that table.
    private var siteRates: AddressRates

    /// - Parameters:
    ///   - perUser: sockets of one user.
    ///   - perAddress: sockets from one source address.
    ///   - ratePerAddress: handshakes from one address in a second.
    public init(perUser: Int, perAddress: Int, ratePerAddress: Int) {
        self.perUser = perUser
        addresses = AddressCounts(perAddress: perAddress, perSite: perAddress * AddressCounts.siteFactor)
        rates = AddressRates(perSecond: ratePerAddress)
        siteRates = AddressRates(perSecond: ratePerAddress * AddressCounts.siteFactor)
    }

    /// Users and addresses with sockets.
    public var userCount: Int { users.count }
    /// Addresses with sockets.
    public var addressCount: Int { addresses.count }

    /// One more socket; `nil` if it is counted, and to be given back with ``close(user:address:)``.
    public mutating func open(user: KeyHash?, address: SourceAddress?) -> Refusal? {
        if let user, users[user.rawValue, default: 0] >= perUser { return .user }
        if let address, !addresses.open(address) { return .address }
        if let user { users[user.rawValue, default: 0] += 1 }
        return nil
    }

    /// A socket that was counted has gone.
    public mutating func close(user: KeyHash?, address: SourceAddress?) {
        if let user { AddressCounts.releaseOne(from: &users, user.rawValue) }
        if let address { addresses.close(address) }
    }

    /// A handshake from an address; false when they come too fast.
    public mutating func onHandshake(_ address: SourceAddress?, now: Int64) -> Bool {
        guard let address else { return true }
        // The site first: what it is refused makes no entry for one more of its networks.
        if let site = address.site, !siteRates.take(site, now: now) { return false }
        return rates.take(address, now: now)
    }
}

/// How fast each of many addresses comes.
private struct AddressRates: Sendable {
    private let perSecond: Double
    private var buckets: [SourceAddress: TokenBucket] = [:]
    private var sweptAt: Int64?

    init(perSecond: Int) { self.perSecond = Double(perSecond) }

    /// One more; false when they come too fast.
    mutating func take(_ address: SourceAddress, now: Int64) -> Bool {
        if buckets[address] == nil, buckets.count >= ConnectionQuotas.addressesMax {
            forgetQuiet(now: now)
            if buckets.count >= ConnectionQuotas.addressesMax { return true }
        }
        let burst = perSecond * ConnectionQuotas.burstSeconds
        return buckets[address, default: TokenBucket(ratePerSecond: perSecond, burst: burst)].take(now: now)
    }

    /// Looking through all of them is dear: not more often than once a second.
    private mutating func forgetQuiet(now: Int64) {
        if let sweptAt, now - sweptAt < 1_000 { return }
        sweptAt = now
        buckets = buckets.filter { !$0.value.isFull(now: now) }
    }
}
