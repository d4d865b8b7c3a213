// What happened between the beginning of one fault and the beginning of the next, as numbers.

/// The counts of one fault, or of all faults of one kind.
struct Tally: Equatable, Sendable {
    /// The longest waits, in microseconds.
    struct Waits: Equatable, Sendable {
        /// From a message's first attempt to its receipt.
        var receipt: Int64 = 0
        /// From a message's receipt to its arrival at a listener.
        var socket: Int64 = 0

        mutating func merge(_ other: Waits) {
            receipt = max(receipt, other.receipt)
            socket = max(socket, other.socket)
        }
    }

    /// Of those whose own node stayed.
    var waits = Waits()
    /// Of those whose node was the one that the fault took away.
    var movedWaits = Waits()
    /// Messages with a receipt.
    var acknowledged = 0
    /// Acknowledged, and never came to a listener.
    var lost = 0
    /// Times that a listener was told that history is missing.
    var gaps = 0
    /// Came again to the same listener.
    var duplicates = 0
    /// Came after a later one, with a sequence number skipped, to the wrong user, or was never sent.
    var disorder = 0
    /// Sockets that ended although their node stayed.
    var disconnects = 0
    /// Sockets that ended because the fault took their node.
    var moved = 0
    /// Sockets that a node cut off from the cluster told to resume elsewhere, as it is meant to.
    var resumed = 0
    /// Places in a user's order that two messages claim, and messages that claim two.
    var voices = 0
    /// Messages that got no receipt within their time: nobody knows whether they were appended.
    var unknown = 0
    /// Messages that a node refused for good.
    var refused = 0

    mutating func merge(_ other: Tally) {
        waits.merge(other.waits)
        movedWaits.merge(other.movedWaits)
        acknowledged += other.acknowledged
        lost += other.lost
        gaps += other.gaps
        duplicates += other.duplicates
        disorder += other.disorder
        disconnects += other.disconnects
        moved += other.moved
        resumed += other.resumed
        voices += other.voices
        unknown += other.unknown
        refused += other.refused
    }

    /// Nothing happened that must never happen.
    var isClean: Bool { lost + gaps + disconnects + refused == 0 && isConsistent }

    /// What must hold even where the cluster stops by design: no message twice, none out of order, one voice.
    var isConsistent: Bool { duplicates + disorder + voices == 0 }
}
