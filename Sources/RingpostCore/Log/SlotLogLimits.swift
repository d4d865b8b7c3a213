// The bounds of what an event loop's slots have to wait for.

/// Bounds of one shard's logs.
struct SlotLogLimits {
    /// Steps that are not committed, and the bytes of their messages.
    var uncommittedMax: Int
    var uncommittedBytesMax: Int
}
