// A member as the ring sees it: an id and a weight, nothing else. Addresses, boots and zones are the membership's matter.

/// One who may own slots.
public struct RingMember: Hashable, Sendable {
    /// The node's id; its UTF-8 bytes decide where its darts land.
    public let id: String
    /// Its share relative to the others', 0 … 65,535. With 0 it owns nothing.
    public let weight: UInt16

    /// A member with its share; ids are not checked here.
    public init(id: String, weight: UInt16) {
        self.id = id
        self.weight = weight
    }

    /// Ids are compared as bytes: Swift's own string equality takes two spellings of "é" for one.
    public static func == (one: RingMember, other: RingMember) -> Bool {
        one.weight == other.weight && one.id.utf8.elementsEqual(other.id.utf8)
    }

    /// Hashes the bytes that equality compares.
    public func hash(into hasher: inout Hasher) {
        for byte in id.utf8 { hasher.combine(byte) }
        hasher.combine(weight)
    }

    /// Where the member's sequence of darts begins.
    var dartKey: UInt64 {
        var id = id
        return id.withUTF8 { sipHash13(key: SipKey(ascii: "ringpost-node-v1"), UnsafeRawBufferPointer($0)) }
    }
}
