// Copies that owners are sending to this node. What the node has of a slot stays until the last chunk has come: it might be all that is left
// if the owner dies before.

/// Copies of which some chunks have come.
struct IncomingSnapshots {
    private struct Incoming {
        let term: UInt64
        let connectionID: UInt32
        var chunks: [SnapshotChunk]
    }

    private var incoming: [Int: Incoming] = [:]

    var count: Int { incoming.count }
    func contains(_ slot: Int) -> Bool { incoming[slot] != nil }

    /// One more chunk has come; one that does not follow its first chunk on the same connection counts for nothing.
    ///
    /// - Returns: all chunks, with the last of them.
    mutating func receive(_ chunk: SnapshotChunk, of slot: Int, term: UInt64, connectionID: UInt32) -> [SnapshotChunk]? {
        if chunk.isFirst { incoming[slot] = Incoming(term: term, connectionID: connectionID, chunks: []) }
        guard incoming[slot]?.term == term, incoming[slot]?.connectionID == connectionID else { return nil }
        incoming[slot]?.chunks.append(chunk)
        return chunk.isLast ? incoming.removeValue(forKey: slot)?.chunks : nil
    }

    /// The rest of a copy will not come any more.
    mutating func remove(_ slot: Int) { incoming[slot] = nil }

    /// One chunk of a copy was refused: those that follow on the same connection must not make a copy with a hole in it.
    mutating func remove(_ slot: Int, onConnection connectionID: UInt32) {
        if incoming[slot]?.connectionID == connectionID { incoming[slot] = nil }
    }

    /// A connection is gone.
    mutating func removeAll(connectionID: UInt32) { incoming = incoming.filter { $0.value.connectionID != connectionID } }

    mutating func removeAll() { incoming = [:] }
}
