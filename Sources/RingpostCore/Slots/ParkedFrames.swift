// Frames of owners that know an epoch of which this node has not heard. They wait for it in the order in which they came.
import DequeModule

/// Frames that wait for an epoch.
struct ParkedFrames {
    struct Parked {
        let frame: SlotFrame
        let member: MemberIdentity
        let connectionID: UInt32
    }

    private var frames: Deque<Parked> = []
    private(set) var bytes = 0
    private let framesMax: Int
    private let bytesMax: Int

    init(framesMax: Int, bytesMax: Int) {
        self.framesMax = framesMax
        self.bytesMax = bytesMax
    }

    var count: Int { frames.count }

    /// - Returns: false when too much waits. Then nothing of this connection is kept: it has to be ended, and everything is said again
    ///   on the next one.
    mutating func park(_ parked: Parked) -> Bool {
        bytes += parked.frame.payloadBytes
        frames.append(parked)
        if frames.count <= framesMax, bytes <= bytesMax { return true }
        forget(connectionID: parked.connectionID)
        return false
    }

    /// A connection is gone.
    mutating func forget(connectionID: UInt32) {
        frames.removeAll { $0.connectionID == connectionID }
        bytes = frames.reduce(0) { $0 + $1.frame.payloadBytes }
    }

    /// Removes and returns everything, in order.
    mutating func removeAll() -> Deque<Parked> {
        defer {
            frames = []
            bytes = 0
        }
        return frames
    }
}
