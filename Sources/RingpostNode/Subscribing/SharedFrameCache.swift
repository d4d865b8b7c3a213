// A large message for several sockets of one user is encoded once. Of small ones that would cost more than it saves.
import RingpostCore

struct SharedFrameCache {
    private var last: (incarnation: UInt64, sequence: UInt64, frames: SharedFrames)?

    /// `nil` for a small message.
    mutating func frames(of message: StoredMessage, incarnation: UInt64) -> SharedFrames? {
        if message.envelope.count < SharedFrames.bytesMin { return nil }
        if let last, last.incarnation == incarnation, last.sequence == message.sequence { return last.frames }
        let frames = SharedFrames(message)
        last = (incarnation, message.sequence, frames)
        return frames
    }

    mutating func removeAll() { last = nil }
}
