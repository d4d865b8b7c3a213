// The links of one shard: those that it has dialled, one to each other member, and those that it has accepted.
import RingpostCore

struct LinkTable {
    /// Accepted connections that have not introduced themselves; one more is closed at once.
    static let strangersMax = 1_024
    /// One refusal is logged in so long.
    private static let refusalLogMilliseconds: Int64 = 1_000

    /// By handle; handles are not used again.
    private var dialled: [LinkClient?] = []
    private var accepted: [Int: LinkServer] = [:]
    private var lastAccepted = 0
    private(set) var strangers = 0
    private var refusalLoggedAt: Int64 = -LinkTable.refusalLogMilliseconds
    private var dials: UInt64 = 0

    // MARK: Dialled

    subscript(handle: UInt32) -> LinkClient? { Int(handle) < dialled.count ? dialled[Int(handle)] : nil }

    var allDialled: some Sequence<LinkClient> { dialled.lazy.compactMap(\.self) }
    var hasOneUp: Bool { dialled.contains { $0?.isUp == true } }

    func link(to member: MemberIdentity) -> LinkClient? { allDialled.first { $0.member == member } }

    var nextHandle: UInt32 { UInt32(dialled.count) }

    /// Adds a link that was made with ``nextHandle``.
    mutating func add(_ link: LinkClient) { dialled.append(link) }

    mutating func removeDialled(_ handle: UInt32) { dialled[Int(handle)] = nil }

    /// A number for the next dial: later ones are greater.
    mutating func nextDial() -> UInt64 {
        dials += 1
        return dials
    }

    // MARK: Accepted

    var allAccepted: some Collection<LinkServer> { accepted.values }

    func accepted(_ number: Int) -> LinkServer? { accepted[number] }

    /// - Returns: the number under which the link is found.
    mutating func accept(_ server: LinkServer) -> Int {
        lastAccepted = lastAccepted % ConnectionAddress.connectionsMax + 1
        accepted[lastAccepted] = server
        return lastAccepted
    }

    mutating func removeAccepted(_ number: Int) { accepted[number] = nil }

    // MARK: Strangers

    /// - Returns: false when there is no room for one more.
    mutating func addStranger() -> Bool {
        if strangers >= Self.strangersMax { return false }
        strangers += 1
        return true
    }

    mutating func removeStranger() { strangers -= 1 }

    /// Strangers can come as often as they like: one refusal a second is logged as a warning, all are counted.
    mutating func warnsOfRefusal(now: Int64) -> Bool {
        if now - refusalLoggedAt < Self.refusalLogMilliseconds { return false }
        refusalLoggedAt = now
        return true
    }
}
