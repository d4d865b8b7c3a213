// Requests that wait for an answer, by a number that is never used twice: a late answer to an old request finds nothing.

/// A slab of waiting requests.
public struct RequestTable<Request> {
    private var entries: [(request: Request?, generation: UInt32)] = []
    private var free: [UInt32] = []
    private let countMax: Int
    /// How many wait.
    public private(set) var count = 0

    /// - Parameter countMax: how many may wait at once.
    public init(countMax: Int) { self.countMax = countMax }

    /// The new request's number, or `nil` when too many wait.
    public mutating func insert(_ request: Request) -> UInt64? {
        if count >= countMax { return nil }
        count += 1
        if let place = free.popLast() {
            entries[Int(place)].request = request
            return UInt64(entries[Int(place)].generation) << 32 | UInt64(place)
        }
        entries.append((request, 1))
        return 1 << 32 | UInt64(entries.count - 1)
    }

    /// The numbers of all that wait.
    public var numbers: [UInt64] {
        var numbers: [UInt64] = []
        numbers.reserveCapacity(count)
        for place in entries.indices {
            if case .some = entries[place].request { numbers.append(UInt64(entries[place].generation) << 32 | UInt64(place)) }
        }
        return numbers
    }

    /// A waiting request.
    public subscript(number: UInt64) -> Request? {
        let place = Int(truncatingIfNeeded: number & 0xFFFF_FFFF)
        guard place < entries.count, entries[place].generation == UInt32(truncatingIfNeeded: number >> 32) else { return nil }
        return entries[place].request
    }

    /// Takes a request out; `nil` when it is not there (any more).
    public mutating func take(_ number: UInt64) -> Request? {
        let place = Int(truncatingIfNeeded: number & 0xFFFF_FFFF)
        guard place < entries.count, entries[place].generation == UInt32(truncatingIfNeeded: number >> 32),
            let request = entries[place].request
        else { return nil }
        entries[place].request = nil
        entries[place].generation &+= 1
        free.append(UInt32(place))
        count -= 1
        return request
    }

    /// Takes out all that a condition holds for, in the order of their places.
    public mutating func takeAll(where condition: (Request) -> Bool) -> [(number: UInt64, request: Request)] {
        var taken: [(UInt64, Request)] = []
        for place in entries.indices {
            guard let request = entries[place].request, condition(request) else { continue }
            let number = UInt64(entries[place].generation) << 32 | UInt64(place)
            if let request = take(number) { taken.append((number, request)) }
        }
        return taken
    }
}
