// Which directories are used, and that the others stay as they are.
import Foundation
import RingpostCore
import TestSupport
import Testing

@testable import RingpostStore

@Suite struct StoreGuardTests {
    private let fixture: StoreFixture

    init() throws { fixture = try StoreFixture() }

    @Test func aStoreKeepsItsLineageAndWhatIsInIt() async throws {
        let first = try fixture.open(generation: 5, fresh: 77)
        #expect(first.isNew && first.lineage == 77 && first.heads.isEmpty && first.loss == nil)
        #expect(await first.store.write(try StoreFixture.tick("alice", 1)) == nil)
        try first.store.remember(boot: 21)
        #expect(first.store.close() == nil)
        let second = try fixture.open(generation: 5, fresh: 78)
        #expect(!second.isNew && second.lineage == 77 && second.loss == nil)
        #expect(second.heads == [try StoreFixture.key("alice").slot: StoreFixture.head(1)])
        #expect(second.store.knows(boot: 21) && !second.store.knows(boot: 22))
        #expect(try await second.store.load("alice", head: StoreFixture.head(1)).count == 2)
        second.store.close()
    }

    @Test func whatBelongsToOthersIsRefusedAndLeftAlone() async throws {
        let opened = try fixture.open(generation: 5)
        #expect(await opened.store.write(try StoreFixture.tick("alice", 1)) == nil)
        opened.store.close()
        let before = try fixture.files()
        let refusals: [(StoreRefusal.Kind, StoreRefusal?)] = [
            (.otherNode, fixture.refusal { try fixture.open(node: "n2", generation: 5) }),
            (.otherCluster, fixture.refusal { try fixture.open(cluster: "d", generation: 5) }),
            (.otherGeneration, fixture.refusal { try fixture.open(generation: 6) }),
        ]
        for (kind, refusal) in refusals {
            #expect(refusal?.kind == kind)
            #expect(refusal?.description.contains(fixture.path) == true && refusal?.sentence.count ?? 0 > 40)
        }
        #expect(try fixture.files() == before)
        #expect(fixture.refusal { try fixture.open(generation: 5) } == nil)
    }

    @Test func aGenerationThatIsLearnedLaterCountsToo() throws {
        let first = try fixture.open()
        try first.store.settle(generation: 5)
        first.store.close()
        let second = try fixture.open()
        #expect(throws: StoreRefusal.self) { try second.store.settle(generation: 6) }
        try second.store.settle(generation: 5)
        second.store.close()
        #expect(fixture.refusal { try fixture.open(generation: 6) }?.kind == .otherGeneration)
    }

    @Test func twoDoNotUseOneDirectory() throws {
        let first = try fixture.open()
        let refusal = fixture.refusal { try fixture.open() }
        #expect(refusal?.kind == .inUse && refusal?.sentence.contains("\(getpid())") == true)
        first.store.close()
        #expect(fixture.refusal { try fixture.open() } == nil)
    }

    @Test func onlyADirectoryIsOne() throws {
        try fixture.folder.write("a file", to: "data")
        #expect(fixture.refusal { try fixture.open() }?.kind == .notADirectory)
        #expect(fixture.refusal { try fixture.open(fixture.folder.file("a/b")) }?.kind == .notADirectory)
        #expect(try fixture.files().keys.sorted() == ["data"])
    }

    // MARK: Files

    @Test func aNewerFormatIsRefused() throws {
        try fixture.open().store.close()
        let name = fixture.path + "/identity"
        let text = try String(contentsOfFile: name, encoding: .utf8)
        try text.replacing("\"format\" : 1", with: "\"format\" : 2, \"more\" : []").write(toFile: name, atomically: true, encoding: .utf8)
        #expect(fixture.refusal { try fixture.open() }?.kind == .otherFormat)
    }

    /// Any byte that is not as it was written is noticed, a digit of the lineage too.
    @Test func aDamagedIdentityIsRefused() throws {
        try fixture.open(fresh: 0x1234_5678).store.close()
        let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: fixture.path + "/identity")))
        #expect(try StoreIdentity(bytes, in: "here").lineage == (0x1234_5678 as UInt64).hexadecimal)
        for index in bytes.indices {
            var other = bytes
            other[index] ^= 1
            #expect(throws: StoreRefusal.self) { try StoreIdentity(other, in: "here") }
            #expect(throws: StoreRefusal.self) { try StoreIdentity(Array(bytes[..<index]), in: "here") }
        }
        try StoreFixture.flip(fixture.path + "/identity", at: bytes.count / 2)
        #expect(fixture.refusal { try fixture.open() }?.kind == .identityDamaged)
        try Data(count: StoreFile.bytesMax + 1).write(to: URL(fileURLWithPath: fixture.path + "/identity"))
        #expect(fixture.refusal { try fixture.open() }?.kind == .identityDamaged)
    }

    /// A document says the same however it is printed: that is another library's to decide with its next version.
    @Test func anIdentityThatIsPrintedOtherwiseIsTheSame() throws {
        try fixture.open(fresh: 0x1234_5678).store.close()
        let name = URL(fileURLWithPath: fixture.path + "/identity")
        let read = try StoreIdentity(Array(try Data(contentsOf: name)), in: "here")
        let document = Array(try JSONEncoder().encode(read))
        #expect(!document.contains(UInt8(ascii: "\n")))
        #expect(try StoreIdentity(StoreIdentity.summed(document), in: "here") == read)
    }

    @Test func missingFilesAreNamed() throws {
        try fixture.open().store.close()
        let files = FileManager.default
        try files.moveItem(atPath: fixture.path + "/identity", toPath: fixture.folder.file("identity"))
        #expect(fixture.refusal { try fixture.open() }?.kind == .identityMissing)
        try files.moveItem(atPath: fixture.folder.file("identity"), toPath: fixture.path + "/identity")
        try files.moveItem(atPath: fixture.path + "/db/CURRENT", toPath: fixture.folder.file("CURRENT"))
        #expect(fixture.refusal { try fixture.open() }?.kind == .filesMissing)
        try files.moveItem(atPath: fixture.folder.file("CURRENT"), toPath: fixture.path + "/db/CURRENT")
        try files.moveItem(atPath: fixture.path + "/db", toPath: fixture.folder.file("db"))
        #expect(fixture.refusal { try fixture.open() }?.kind == .filesMissing)
        #expect(!files.fileExists(atPath: fixture.path + "/db"), "nothing was made in its place")
    }

    // MARK: Surroundings

    private func identity(_ durability: StoreDurability, _ state: StoreIdentity.State) -> StoreIdentity {
        var identity = StoreIdentity(
            of: StoreOwner(cluster: "c", node: "n"), lineage: 1, durability: durability, at: StoreSurroundings(kernelBoot: "a", device: "1")
        )
        identity.state = state
        return identity
    }

    @Test func whatTheKernelHadGoesWithTheKernelAndTheDevice() {
        let (same, booted, moved) = (
            StoreSurroundings(kernelBoot: "a", device: "1"), StoreSurroundings(kernelBoot: "b", device: "1"),
            StoreSurroundings(kernelBoot: "a", device: "2")
        )
        for durability in StoreDurability.allCases {
            #expect(identity(durability, .open).loss(at: same) == nil)
            for state in [StoreIdentity.State.closed, .new] {
                #expect(identity(durability, state).loss(at: booted) == nil)
                #expect(identity(durability, state).loss(at: moved) == nil)
            }
        }
        #expect(identity(.written, .open).loss(at: booted)?.contains("machine") == true)
        #expect(identity(.written, .open).loss(at: moved)?.contains("device") == true)
        #expect(identity(.fsync, .open).loss(at: booted) == nil)
        #expect(identity(.fsync, .open).loss(at: moved) == nil)
        // Nothing proves that it is the same boot.
        var unknown = identity(.written, .open)
        unknown.kernelBoot = ""
        #expect(unknown.loss(at: StoreSurroundings(kernelBoot: "", device: "1")) != nil)
    }

    @Test func aCopyOfAStoppedStoreIsUsed() async throws {
        let opened = try fixture.open(fresh: 77)
        #expect(await opened.store.write(try StoreFixture.tick("alice", 1)) == nil)
        opened.store.close()
        let copy = fixture.folder.file("copy")
        try FileManager.default.copyItem(atPath: fixture.path, toPath: copy)
        let second = try fixture.open(copy)
        #expect(second.lineage == 77 && second.loss == nil && second.heads.count == 1)
        second.store.close()
    }

    @Test func aCopyOfARunningStoreIsRefused() async throws {
        let opened = try fixture.open()
        #expect(await opened.store.write(try StoreFixture.tick("alice", 1)) == nil)
        let copy = fixture.folder.file("copy")
        try FileManager.default.copyItem(atPath: fixture.path, toPath: copy)
        #expect(await opened.store.write(try StoreFixture.tick("alice", 2)) == nil)
        #expect(fixture.refusal { try fixture.open(copy) }?.kind == .copied)
        opened.store.close()
        // Under another name it is the same one.
        try FileManager.default.moveItem(atPath: fixture.path, toPath: fixture.folder.file("moved"))
        #expect(fixture.refusal { try fixture.open(fixture.folder.file("moved")) } == nil)
    }

    /// A boot that was not written must not be registered.
    @Test func aClosedStoreRemembersNothing() throws {
        let opened = try fixture.open()
        opened.store.close()
        #expect(throws: StoreFailure.self) { try opened.store.remember(boot: 1) }
        #expect(throws: StoreFailure.self) { try opened.store.settle(generation: 1) }
        #expect(throws: StoreFailure.self) { try opened.store.begin(lineage: 1) }
        #expect(!opened.store.knows(boot: 1))
    }

    @Test func boots256AreKept() throws {
        let opened = try fixture.open()
        for boot in 1...300 as ClosedRange<UInt64> { try opened.store.remember(boot: boot) }
        opened.store.close()
        let again = try fixture.open()
        #expect(again.store.knows(boot: 300) && again.store.knows(boot: 45) && !again.store.knows(boot: 44))
        again.store.close()
    }
}
