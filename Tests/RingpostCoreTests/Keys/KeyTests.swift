// Names of users and channels: what is refused and why, and that two spellings are two keys. Where a key lies on the
// ring is pinned by the golden vectors in HashRingTests.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct KeyTests {
    private let hasher: KeyHasher

    init() throws { hasher = KeyHasher(seed: try #require(SipKey(bytes: [UInt8](0..<16)))) }

    private func fault(_ name: [UInt8], _ kind: KeyKind = .user) -> NameError? {
        do throws(NameError) {
            _ = try Key(kind, name: name, hasher: hasher)
            return nil
        } catch {
            return error
        }
    }

    @Test func lengths() {
        #expect(fault([]) == .empty)
        #expect(fault([], .channel) == .empty)
        #expect(fault(Array(repeating: 0x61, count: 256)) == nil)
        #expect(fault(Array(repeating: 0x61, count: 257)) == .tooLong(bytes: 257, bytesMax: 256))
        #expect(fault(Array(repeating: 0x61, count: 255), .channel) == nil)
        #expect(fault(Array(repeating: 0x61, count: 256), .channel) == .tooLong(bytes: 256, bytesMax: 255))
    }

    @Test(
        arguments: [
            [0xFF], [0x61, 0x80], [0xC2], [0xC2, 0x41], [0xC0, 0xAF], [0xE2, 0x82], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80],
        ] as [[UInt8]])
    func notUTF8(name: [UInt8]) { #expect(fault(name) == .notUTF8) }

    @Test(arguments: ["\u{0}", "a\nb", "\u{1F}", "\u{7F}", "a\u{80}", "\u{9F}z", "\u{85}"])
    func controlCharacters(name: String) { #expect(fault(Array(name.utf8)) == .controlCharacter) }

    @Test(arguments: [" ", "~", "\u{A0}", "é", "ü@example.org", "用户", "👩‍👩‍👧", "a/b?c#d"])
    func valid(name: String) throws {
        let key = try Key(.user, name: Array(name.utf8), hasher: hasher)
        #expect(key.text == name)
        #expect(key.hash == hasher.hash(.user, name))
        #expect(key.slot == Int(key.hash.rawValue >> 48))
    }

    @Test func spellingsAndKindsAreDifferentKeys() throws {
        let composed = try Key(.user, name: Array("caf\u{E9}".utf8), hasher: hasher)
        let decomposed = try Key(.user, name: Array("cafe\u{301}".utf8), hasher: hasher)
        #expect(composed != decomposed && composed.hash != decomposed.hash)
        let user = try Key(.user, name: [0x61], hasher: hasher)
        let channel = try Key(.channel, name: [0x61], hasher: hasher)
        #expect(user != channel && user.hash != channel.hash)
        #expect(Set([user, channel, user]).count == 2)
    }

    @Test func oneHashIsNotOneKey() {
        let hash = KeyHash(rawValue: 1)
        #expect(Key(.user, trusted: [1], hash: hash) != Key(.user, trusted: [2], hash: hash))
        #expect(Key(.user, trusted: [1], hash: hash) != Key(.channel, trusted: [1], hash: hash))
    }

    @Test func everyFaultHasASentence() {
        for error: NameError in [.empty, .notUTF8, .controlCharacter] { #expect(error.message.hasPrefix("the name ")) }
        #expect(NameError.tooLong(bytes: 300, bytesMax: 256).message == "the name has 300 bytes, at most 256 are allowed")
    }
}
