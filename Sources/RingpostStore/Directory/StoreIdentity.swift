// What a store says of itself, in a file of its own: it is looked at before the database is opened, because opening a database changes it.
// A small JSON document, written whole and renamed into its place, with a last line that is the sum of all before it.
import Foundation
import HashRing
import RingpostCore

/// Whose store it is.
struct StoreIdentity: Codable, Equatable {
    enum State: String, Codable {
        /// It is being made, and nothing was acknowledged yet. Can transition to open.
        case new
        /// A process has it, or had it and ended without closing it. Can transition to closed and lost.
        case open
        /// Everything that was acknowledged is on the disk. Can transition to open and lost.
        case closed
        /// Something that was acknowledged is not there. Can transition to open, under another lineage.
        case lost
    }

    /// What this program writes.
    static let formatNow = 1

    var format = StoreIdentity.formatNow
    var cluster: String
    var node: String
    /// Sixteen hexadecimal digits, as all 64-bit words here: many readers of JSON keep only 53 bits of a number. Empty while it is not known.
    var generation: String
    /// The secret under which names are placed: only in the store of a node without ZooKeeper, where nobody else keeps it. 32 digits.
    var seed: String?
    var lineage: String
    var boots: [String] = []
    var state = State.new
    /// What was lost, in state lost.
    var lost = ""
    var durability: String
    /// The kernel's boot and the device under which it was written last: what the kernel had is gone with the boot.
    var kernelBoot: String
    var device: String
    /// Which directory on which file system this is. A copy is another one.
    var place: String

    /// The cluster that a node without ZooKeeper is; `nil` where ZooKeeper keeps it, or nobody yet.
    var ring: (generation: UInt64, seed: SipKey)? {
        get {
            let digits = Array((seed ?? "").utf8)
            guard let generation = UInt64(hexadecimal: Array(generation.utf8)), digits.count == 32,
                let high = UInt64(hexadecimal: digits[..<16]), let low = UInt64(hexadecimal: digits[16...]),
                let seed = SipKey(bytes: [high, low].flatMap { word in withUnsafeBytes(of: word.bigEndian) { Array($0) } })
            else { return nil }
            return (generation, seed)
        }
        set {
            generation = newValue?.generation.hexadecimal ?? ""
            seed = newValue.map { ring in
                String(decoding: ring.seed.bytes.flatMap { UInt64($0).hexadecimal.utf8.suffix(2) }, as: UTF8.self)
            }
        }
    }

    // MARK: Bytes

    func encoded() throws -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
        return Self.summed(Array(try encoder.encode(self)))
    }

    /// A document with the line that is its sum.
    static func summed(_ document: [UInt8]) -> [UInt8] {
        let text = document + Array("\n".utf8)
        return text + Array("\(sum(of: text))\n".utf8)
    }

    /// FNV-1a: any single byte that is different gives another sum.
    private static func sum(of text: some Sequence<UInt8>) -> String {
        text.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }.hexadecimal
    }

    /// Where the last line begins.
    private static func sumIndex(_ bytes: [UInt8]) -> Int { (bytes.dropLast().lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1 }

    static func damaged(in directory: String) -> StoreRefusal {
        StoreRefusal(
            .identityDamaged, directory, "its file \(StoreDirectory.identityName) is not as it was written. \(StoreRefusal.startEmpty)")
    }

    private struct FormatOnly: Decodable {
        let format: Int
    }

    /// Reads an identity.
    ///
    /// - Throws: a refusal, for what is damaged or of another format.
    init(_ bytes: [UInt8], in directory: String) throws(StoreRefusal) {
        let sumIndex = Self.sumIndex(bytes)
        let data = Data(bytes[..<sumIndex])
        // First, because only the program that has written another format knows what its sum is.
        if let format = try? JSONDecoder().decode(FormatOnly.self, from: data).format, format > Self.formatNow {
            throw StoreRefusal(
                .otherFormat, directory,
                "it has format \(format), and this program knows up to \(Self.formatNow). Start the newer program that has written it.")
        }
        // Over the bytes as they are: another version of the library may print the same document otherwise.
        guard bytes[sumIndex...].elementsEqual("\(Self.sum(of: data))\n".utf8),
            let read = try? JSONDecoder().decode(StoreIdentity.self, from: data)
        else { throw Self.damaged(in: directory) }
        self = read
    }

    init(of owner: StoreOwner, lineage: UInt64, durability: StoreDurability, at surroundings: StoreSurroundings) {
        cluster = owner.cluster
        node = owner.node
        generation = owner.generation?.hexadecimal ?? ""
        self.lineage = lineage.hexadecimal
        self.durability = durability.rawValue
        kernelBoot = surroundings.kernelBoot
        device = surroundings.device
        place = ""
    }

    // MARK: Guards

    /// Holds it against who wants to use it.
    func check(_ owner: StoreOwner, in directory: String) throws(StoreRefusal) {
        if cluster != owner.cluster {
            throw StoreRefusal(
                .otherCluster, directory,
                "it belongs to the cluster \"\(cluster)\", and this node is one of \"\(owner.cluster)\". Name this node's own directory.")
        }
        if node != owner.node {
            throw StoreRefusal(
                .otherNode, directory, "it belongs to the node \(node), and this is \(owner.node). Name this node's own directory.")
        }
        if let expected = owner.generation { try check(generation: expected, in: directory) }
    }

    func check(generation expected: UInt64, in directory: String) throws(StoreRefusal) {
        guard !generation.isEmpty, generation != expected.hexadecimal else { return }
        throw StoreRefusal(
            .otherGeneration, directory,
            "it belongs to generation \(generation) of the cluster \"\(cluster)\", which was founded anew since, as \(expected.hexadecimal). "
                + "If ZooKeeper has lost its data, bring that back; else move the directory away and start with an empty one.")
    }

    /// What was lost since it was written last, as far as the surroundings say it.
    func loss(at surroundings: StoreSurroundings) -> String? {
        if state == .lost { return lost }
        guard state == .open, durability == StoreDurability.written.rawValue else { return nil }
        if kernelBoot.isEmpty || kernelBoot != surroundings.kernelBoot {
            return "it was written with --durability written, and the machine has gone down since without the node having stopped in order"
        }
        if device != surroundings.device {
            return "it was written with --durability written, and it lies on another device since without the node having stopped in order"
        }
        return nil
    }
}

/// Who wants to use a directory.
public struct StoreOwner: Sendable, Hashable {
    /// The cluster's name.
    public let cluster: String
    /// The node's id.
    public let node: String
    /// The cluster's generation, if it is known already.
    public let generation: UInt64?

    /// A node of a cluster.
    public init(cluster: String, node: String, generation: UInt64? = nil) {
        self.cluster = cluster
        self.node = node
        self.generation = generation
    }
}
