// Requests that wait for an answer, by a number that is never used twice: a late answer to an old request finds nothing.

/// A slab of waiting requests.
///
/// Its functions can be inlined elsewhere: one that is not specialised for what it holds costs a message more than all the rest of its way
/// through a table.
public struct RequestTable<Request> {
    @usableFromInline var entries: [(request: Request?, generation: UInt32)] = []
    @usableFromInline var free: [UInt32] = []
    @usableFromInline let countMax: Int
    @usableFromInline var waiting = 0
    /// How many wait.
    public var count: Int { waiting }

    /// - Parameter countMax: how many may wait at once.
    public init(countMax: Int) { self.countMax = countMax }

    /// The new request's number, or `nil` when too many wait.
    @inlinable
    public mutating func insert(_ request: Request) -> UInt64? {
        if waiting >= countMax { return nil }
        waiting += 1
        if let index = free.popLast() {
            entries[Int(index)].request = request
            return UInt64(entries[Int(index)].generation) << 32 | UInt64(index)
        }
        entries.append((request, 1))
        return 1 << 32 | UInt64(entries.count - 1)
    }

    /// The numbers of all that wait.
    public var numbers: [UInt64] {
        var numbers: [UInt64] = []
        numbers.reserveCapacity(count)
        for index in entries.indices {
            if case .some = entries[index].request { numbers.append(UInt64(entries[index].generation) << 32 | UInt64(index)) }
        }
        return numbers
    }

    /// A waiting request.
    @inlinable
    public subscript(number: UInt64) -> Request? {
        let index = Int(truncatingIfNeeded: number & 0xFFFF_FFFF)
        guard index < entries.count, entries[index].generation == UInt32(truncatingIfNeeded: number >> 32) else { return nil }
        return entries[index].request
    }

    /// Takes a request out; `nil` when it is not there (any more).
    @inlinable
    public mutating func take(_ number: UInt64) -> Request? {
        let index = Int(truncatingIfNeeded: number & 0xFFFF_FFFF)
        guard index < entries.count, entries[index].generation == UInt32(truncatingIfNeeded: number >> 32),
            let request = entries[index].request
        else { return nil }
        entries[index].request = nil
        entries[index].generation &+= 1
        free.append(UInt32(index))
        waiting -= 1
        return request
    }

    /// What all that wait come to, in the order of their places.
    public func reduce<Result>(_ start: Result, _ next: (Result, Request) -> Result) -> Result {
        entries.reduce(start) { result, entry in entry.request.map { next(result, $0) } ?? result }
    }

    /// Takes out all that a condition holds for, in the order of their places.
    public mutating func takeAll(where condition: (Request) -> Bool) -> [(number: UInt64, request: Request)] {
        var taken: [(UInt64, Request)] = []
        for index in entries.indices {
            guard let request = entries[index].request, condition(request) else { continue }
            let number = UInt64(entries[index].generation) << 32 | UInt64(index)
            if let request = take(number) { taken.append((number, request)) }
        }
        return taken
    }
}

extension RequestTable: Sendable where Request: Sendable {}
