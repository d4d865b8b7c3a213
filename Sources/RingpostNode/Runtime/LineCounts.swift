// What a ``LineWriter`` counts, whatever its lines are.

/// What became of lines.
struct LineCounts: Equatable {
    var written: UInt64 = 0
    var lost: UInt64 = 0
    var omitted: UInt64 = 0

    /// What is missing before a line.
    struct Missing {
        /// There was no room, or the descriptor did not take them.
        var lost: UInt64 = 0
        /// Their owner has left them out.
        var omitted: UInt64 = 0
    }
}
