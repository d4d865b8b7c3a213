// How many clients a node takes in at a time: a token bucket, and for those it puts off an appointment each. When a node
// dies, its clients come to the others in one moment; whoever is not taken in then is spread over the time that those in
// front of it need, so that the second crowd never is one.
//
// Appointments are not reservations: the gate knows no client again. It keeps its word by arithmetic: up to any moment no
// more clients are asked to come than tokens will have fallen, and the bucket keeps the tokens of those who come late. For
// each newcomer who slips in between, somebody at the end of the queue is asked to come once more.

/// Admits connections at a rate.
public struct AdmissionGate: Sendable {
    /// Connections that an event loop takes in a second. A core was seen to open 16,000 sockets a second with nothing else to
    /// do; at 5,000 more than half of it is left to those who are there already.
    public static let ratePerSecondDefault = 5_000
    /// So many seconds' worth are taken at once: a loop's first 10,000 sockets never wait, and one that opens 16,000 a second
    /// has 14,500 before anybody does. Connections that come in a burst share the loop fairly with the sockets that it has.
    public static let burstSecondsDefault = 2
    /// Nobody is sent away for less: coming back costs a connection too.
    public static let waitMillisecondsMin: Int64 = 250
    /// Nobody is sent away for longer: it is what clients take from a server at most.
    public static let waitMillisecondsMax: Int64 = 60_000

    private var bucket: TokenBucket
    /// When the latest appointment is due.
    private var lastAppointment = -Double.infinity
    /// Clients that found no place within the longest wait.
    private var overflow: UInt64 = 0

    /// One event loop's share of a node's rate.
    ///
    /// - Parameters:
    ///   - ratePerSecond: the node's.
    ///   - burst: the node's.
    ///   - share: how many loops share them. Every loop's bucket holds at least one token, or it would never admit anybody.
    public init(ratePerSecond: Int, burst: Int, share: Int = 1) {
        precondition(ratePerSecond > 0 && share > 0, "a gate for \(ratePerSecond) a second over \(share) loops never opens")
        bucket = TokenBucket(ratePerSecond: Double(ratePerSecond) / Double(share), burst: Double(burst) / Double(share))
    }

    /// What becomes of a connection.
    public enum Decision: Equatable, Sendable {
        case admit
        case comeBack(afterMilliseconds: Int)
    }

    /// A client wants in.
    public mutating func onConnection(now: Int64) -> Decision {
        if bucket.take(now: now) { return .admit }
        let rate = bucket.tokensPerMillisecond
        let due = max(Double(now) + (1 - bucket.tokens) / rate, lastAppointment + 1 / rate)
        let wait = (due - Double(now)).rounded(.up)
        guard wait <= Double(Self.waitMillisecondsMax) else { return .comeBack(afterMilliseconds: overflowWait()) }
        lastAppointment = due
        return .comeBack(afterMilliseconds: Int(max(wait, Double(Self.waitMillisecondsMin))))
    }

    /// The queue is longer than anybody may be sent away for: evenly over the second half of the longest wait.
    private mutating func overflowWait() -> Int {
        overflow &+= 1
        let half = Int(Self.waitMillisecondsMax / 2)
        return half + EvenSpread.index(overflow, of: half)
    }
}

/// Numbers that fill a range evenly however many of them there are: multiples of the golden ratio, modulo one (Weyl's
/// sequence). For spreading a crowd whose size nobody knows, without a random number.
public enum EvenSpread {
    /// The index's place in `0 ..< count`; 0 in an empty range.
    public static func index(_ index: UInt64, of count: Int) -> Int {
        let fraction = index &* 0x9E37_79B9_7F4A_7C15
        return Int(fraction.multipliedFullWidth(by: UInt64(max(0, count))).high)
    }
}
