// How many sockets a node has of each user and from each source address, and how fast an address comes: so that nobody takes the room
// that others need. A node's, not the cluster's: what one node can't know without asking others, it does not wait for.
import HashRing

/// Counts sockets by user and by source address.
public struct ConnectionQuotas: Sendable {
    /// Addresses whose rate is remembered; beyond it those are forgotten that have been quiet, and if there are none, new ones are not slowed.
    public static let addressesMax = 65_536
    /// So many seconds' worth an address may bring at once.
    public static let burstSeconds = 4.0

    /// What was too much.
    public enum Refusal: Equatable, Sendable {
        case user
        case address
    }

    private let perUser: Int
    private let perAddress: Int
    private let ratePerAddress: Double
    private var users: [UInt64: Int] = [:]
    private var addresses: [SourceAddress: Int] = [:]
    private var rates: [SourceAddress: TokenBucket] = [:]
    private var sweptAt: Int64?

    /// - Parameters:
    ///   - perUser: sockets of one user.
    ///   - perAddress: sockets from one source address.
    ///   - ratePerAddress: handshakes from one address in a second.
    public init(perUser: Int, perAddress: Int, ratePerAddress: Int) {
        self.perUser = perUser
        self.perAddress = perAddress
        self.ratePerAddress = Double(ratePerAddress)
    }

    /// Users and addresses with sockets.
    public var userCount: Int { users.count }
    /// Addresses with sockets.
    public var addressCount: Int { addresses.count }

    /// One more socket; `nil` if it is counted, and to be given back with ``close(user:address:)``.
    public mutating func open(user: KeyHash?, address: SourceAddress?) -> Refusal? {
        if let user, users[user.rawValue, default: 0] >= perUser { return .user }
        if let address, addresses[address, default: 0] >= perAddress { return .address }
        if let user { users[user.rawValue, default: 0] += 1 }
        if let address { addresses[address, default: 0] += 1 }
        return nil
    }

    /// A socket that was counted has gone.
    public mutating func close(user: KeyHash?, address: SourceAddress?) {
        if let user { Self.releaseOne(from: &users, user.rawValue) }
        if let address { Self.releaseOne(from: &addresses, address) }
    }

    /// A handshake from an address; false when they come too fast.
    public mutating func onHandshake(_ address: SourceAddress?, now: Int64) -> Bool {
        guard let address else { return true }
        if rates[address] == nil, rates.count >= Self.addressesMax {
            forgetQuiet(now: now)
            if rates.count >= Self.addressesMax { return true }
        }
        return rates[address, default: TokenBucket(ratePerSecond: ratePerAddress, burst: ratePerAddress * Self.burstSeconds)].take(now: now)
    }

    /// Looking through all of them is dear: not more often than once a second.
    private mutating func forgetQuiet(now: Int64) {
        if let sweptAt, now - sweptAt < 1_000 { return }
        sweptAt = now
        rates = rates.filter { !$0.value.isFull(now: now) }
    }

    private static func releaseOne<Name: Hashable>(from counts: inout [Name: Int], _ name: Name) {
        guard let count = counts[name] else { return }
        counts[name] = count > 1 ? count - 1 : nil
    }
}
