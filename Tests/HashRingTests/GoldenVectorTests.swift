// The ring against vectors that two independent programs agreed on: ring-vectors.json. The rules are in docs/architecture/ring.md.
import Foundation
import HashRing
import Testing

struct VectorFile: Decodable {
    struct Member: Decodable {
        let id: String
        let weight: UInt16
    }
    struct Key: Decodable {
        let kind: String
        let name: String
        let hash: String
        let slot: Int
        let preference: [String]
    }
    struct Ring: Decodable {
        let name: String
        let members: [Member]
        let order: [String]
        let digest: String
        let slotsOwned: [String: Int]
        let firstEightSlots: [[String]]
        let keys: [Key]
    }
    struct Sip: Decodable {
        let data: String
        let hash: String
    }
    let seed: String
    let depth: Int
    let rings: [Ring]
    let siphash13: [Sip]

    static func read() throws -> VectorFile {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "ring-vectors.json")
        return try JSONDecoder().decode(VectorFile.self, from: Data(contentsOf: path))
    }
}

func bytes(hex: String) -> [UInt8] {
    stride(from: 0, to: hex.utf8.count, by: 2).map { at in
        let from = hex.index(hex.startIndex, offsetBy: at)
        return UInt8(hex[from..<hex.index(from, offsetBy: 2)], radix: 16) ?? 0
    }
}

func hex(_ word: UInt64) -> String {
    let digits = String(word, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}

/// Byte-wise: Swift's string equality takes two spellings of one letter for the same.
func sameBytes(_ one: [String], _ other: [String]) -> Bool { one.map { Array($0.utf8) } == other.map { Array($0.utf8) } }

@Suite struct GoldenVectorTests {
    @Test func sipHashOfEveryVector() throws {
        let key = try #require(SipKey(bytes: bytes(hex: "000102030405060708090a0b0c0d0e0f")))
        for vector in try VectorFile.read().siphash13 {
            #expect(hex(bytes(hex: vector.data).withUnsafeBytes { sipHash13(key: key, $0) }) == vector.hash)
        }
    }

    @Test func ringsOfEveryVector() throws {
        let file = try VectorFile.read()
        let hasher = KeyHasher(seed: try #require(SipKey(bytes: bytes(hex: file.seed))))
        for vector in file.rings {
            let ring = HashRing(members: vector.members.map { RingMember(id: $0.id, weight: $0.weight) }, depth: file.depth)
            #expect(sameBytes(ring.members.map(\.id), vector.order), "\(vector.name): order of the members")
            #expect(hex(ring.digest) == vector.digest, "\(vector.name): digest")
            for (memberIndex, count) in ring.slotsOwned().enumerated() {
                let expected = vector.slotsOwned.first { $0.key.utf8.elementsEqual(ring.members[memberIndex].id.utf8) }?.value ?? 0
                if vector.name != "look-alikes" { #expect(count == expected, "\(vector.name): slots of \(ring.members[memberIndex].id)") }
            }
            for (slot, expected) in vector.firstEightSlots.enumerated() {
                #expect(sameBytes(ring.preference(ofSlot: slot, count: ring.depth).map { ring.members[$0].id }, expected))
            }
            for key in vector.keys {
                let hash = hasher.hash(key.kind == "user" ? .user : .channel, key.name)
                #expect(hex(hash.rawValue) == key.hash, "\(vector.name): \(key.kind) \(key.name)")
                #expect(hash.slot == key.slot)
                let preference = ring.preference(ofSlot: key.slot, count: key.preference.count).map { ring.members[$0].id }
                #expect(sameBytes(preference, key.preference), "\(vector.name): \(key.name)")
            }
        }
    }
}
