// What will happen, in the order of time; what happens at one time, in the order in which it was planned.

/// A binary heap by (time, number).
struct EventQueue {
    private struct Entry {
        let time: Int64
        let number: UInt64
        let body: () -> Void

        func precedes(_ other: Entry) -> Bool { time != other.time ? time < other.time : number < other.number }
    }

    private var heap: [Entry] = []
    private var lastNumber: UInt64 = 0

    var count: Int { heap.count }

    mutating func add(at time: Int64, _ body: @escaping () -> Void) {
        lastNumber += 1
        heap.append(Entry(time: time, number: lastNumber, body: body))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].precedes(heap[parent]) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    /// Takes out what comes first, unless it comes after `limit`.
    mutating func next(upTo limit: Int64) -> (time: Int64, body: () -> Void)? {
        guard let first = heap.first, first.time <= limit else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            siftDown()
        }
        return (first.time, first.body)
    }

    private mutating func siftDown() {
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child].precedes(heap[least]) { least = child }
            if least == parent { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }
}
