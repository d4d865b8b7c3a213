// What an open store promises to event loops.
import Foundation
import RingpostCore
import Synchronization
import TestSupport
import Testing

@testable import RingpostStore

@Suite struct StoreWriteTests {
    private let fixture: StoreFixture

    init() throws { fixture = try StoreFixture() }

    @Test func ticksAreToldInTheirOrder() async throws {
        let opened = try fixture.open()
        let told = Mutex<[UInt64]>([])
        for sequence in 1...200 as ClosedRange<UInt64> {
            #expect(
                opened.store.write(try StoreFixture.tick("alice", sequence)) { failure in
                    if failure == nil { told.withLock { $0.append(sequence) } }
                })
        }
        try await eventually(within: 20, "all ticks are there") { told.withLock { $0.count } == 200 }
        #expect(told.withLock { $0 } == Array(1...200))
        let counts = opened.store.counts
        #expect(counts.ticks == 200 && counts.batches <= 200 && counts.bytes > 200 * 600)
        #expect(opened.store.bytesQueued == 0)
        #expect(try await opened.store.load("alice", head: StoreFixture.head(200)).count == 201)
        opened.store.close()
    }

    @Test func whatWaitsWhenAStoreIsClosedIsThere() async throws {
        let opened = try fixture.open()
        let told = Mutex(0)
        for sequence in 1...100 as ClosedRange<UInt64> {
            #expect(opened.store.write(try StoreFixture.tick("alice", sequence)) { if $0 == nil { told.withLock { $0 += 1 } } })
        }
        #expect(opened.store.close() == nil)
        #expect(told.withLock { $0 } == 100)
        #expect(await opened.store.write(try StoreFixture.tick("alice", 101)) == StoreFailure("no room"), "it takes nothing any more")
        let again = try fixture.open()
        #expect(again.heads.values.first?.position == 100)
        again.store.close()
    }

    @Test func afterAFailureNothingIsWritten() async throws {
        let told = Mutex<[StoreFailure]>([])
        let opened = try fixture.open { failure in told.withLock { $0.append(failure) } }
        #expect(await opened.store.write(try StoreFixture.tick("alice", 1)) == nil)
        // Nothing else makes RocksDB fail on a disk that is well.
        opened.store.database.close()
        let failure = try #require(await opened.store.write(try StoreFixture.tick("alice", 2)))
        #expect(failure.description.contains(fixture.path) && failure.description.contains("Nothing more is written"))
        #expect(await opened.store.write(try StoreFixture.tick("alice", 3)) == failure)
        #expect(opened.store.firstFailure == failure)
        #expect(opened.store.close() == failure)
        #expect(told.withLock { $0 } == [failure], "told once")
        // It was not closed in order, and still has what it said was there.
        let again = try fixture.open()
        #expect(again.loss == nil && again.heads.values.map(\.position) == [1])
        again.store.close()
    }

    /// RocksDB goes on when somebody has made room. What was not there before must not be covered by what is there afterwards.
    @Test func aDiskThatIsWellAgainChangesNothing() async throws {
        let opened = try fixture.open()
        #expect(await opened.store.write(try StoreFixture.tick("alice", 1)) == nil)
        // The mark's file becomes one that can't be written, and then another one that can.
        let mark = try fixture.breakMark()
        let failure = try #require(await opened.store.write(try StoreFixture.tick("alice", 2)))
        mark.mend()
        #expect(await opened.store.write(try StoreFixture.tick("alice", 3)) == failure)
        #expect(opened.store.close() == failure)
        let again = try fixture.open()
        #expect(again.loss == nil && again.heads.values.allSatisfy { $0.position < 3 })
        again.store.close()
    }

    @Test func receiptsAreRememberedForWhatRemained() async throws {
        let first = try fixture.open(now: 5_000)
        #expect(await first.store.write(try StoreFixture.tick("alice", 1, now: 5_000, until: 35_000)) == nil)
        #expect(await first.store.write(StoreTick(now: 15_000, slots: [])) == nil)
        first.store.close()
        let second = try fixture.open(now: 900_000)
        let items = try await second.store.load("alice", head: StoreFixture.head(1), now: 905_000)
        guard items.count == 3, case .remembered(_, let remembered) = items[2] else {
            Issue.record("\(items)")
            return
        }
        #expect(remembered.until == 15_000)
        #expect(try await second.store.load("alice", head: StoreFixture.head(1), now: 921_000).count == 2)
        second.store.close()
    }

    @Test func anotherLineageMakesAllHearsay() async throws {
        let first = try fixture.open(fresh: 5)
        #expect(await first.store.write(try StoreFixture.tick("alice", 1)) == nil)
        let released = SlotWrite(slot: 12, head: StoreFixture.head(1, kind: .released), changes: [.drop])
        #expect(await first.store.write(StoreTick(now: 1_000, slots: [released])) == nil)
        try first.store.remember(boot: 9)
        first.store.close()
        let second = try fixture.open()
        #expect(second.heads.count == 2)
        let heads = try second.store.begin(lineage: 6)
        #expect(heads.values.map(\.kind) == [.hearsay] && !second.store.knows(boot: 9))
        #expect(try fixture.mark() == second.store.database.lastSequence(), "no tick need come")
        second.store.close()
        let third = try fixture.open()
        #expect(third.lineage == 6 && third.heads == heads && third.loss == nil)
        #expect(try await third.store.load("alice", head: StoreFixture.head(1)).count == 2, "its content can still be read")
        third.store.close()
    }

    /// Nothing was changed yet: but nobody knows that who looks at the store's answers.
    @Test func aLineageThatCanNotBeBegunIsTheEndOfTheStore() async throws {
        let told = Mutex<[StoreFailure]>([])
        let opened = try fixture.open { failure in told.withLock { $0.append(failure) } }
        let blocker = fixture.path + "/identity.new"
        try FileManager.default.createDirectory(atPath: blocker, withIntermediateDirectories: false)
        let failure = try #require(throws: StoreFailure.self) { try opened.store.begin(lineage: 6) }
        try FileManager.default.removeItem(atPath: blocker)
        #expect(await opened.store.write(try StoreFixture.tick("alice", 1)) == failure)
        #expect(throws: failure) { try opened.store.begin(lineage: 6) }
        #expect(opened.store.close() == failure && told.withLock { $0 } == [failure])
        let again = try fixture.open(fresh: 7)
        #expect(again.loss == nil && again.lineage == 1 && again.heads.isEmpty)
        again.store.close()
    }

    /// Half of it is on the disk: then it is no store in order, whatever else can be written.
    @Test func aLineageThatWasHalfBegunIsLost() async throws {
        let first = try fixture.open(fresh: 5)
        #expect(await first.store.write(try StoreFixture.tick("alice", 1)) == nil)
        let mark = try fixture.breakMark()
        let failure = try #require(throws: StoreFailure.self) { try first.store.begin(lineage: 6) }
        mark.mend()
        #expect(await first.store.write(try StoreFixture.tick("alice", 2)) == failure)
        #expect(first.store.close() == failure)
        let second = try fixture.open(fresh: 7)
        #expect(second.loss?.contains("given up") == true && second.lineage == 7)
        #expect(second.heads.values.map(\.kind) == [.hearsay] && second.heads.values.map(\.position) == [1])
        second.store.close()
    }

    /// Whoever has taken the directory's lock finds the database closed.
    @Test func theDirectoryIsGivenUpLast() throws {
        let first = try fixture.open()
        let other = Mutex<OpenedStore?>(nil)
        let refusals = Mutex<Set<String>>([])
        var opened = first
        for _ in 0..<10 {
            let done = DispatchSemaphore(value: 0)
            let fixture = fixture
            Thread {
                while true {
                    do {
                        let next = try fixture.open()
                        other.withLock { $0 = next }
                        break
                    } catch { refusals.withLock { _ = $0.insert("\(error)") } }
                }
                done.signal()
            }.start()
            opened.store.close()
            done.wait()
            opened = try #require(other.withLock { $0 })
        }
        opened.store.close()
        #expect(refusals.withLock { $0.allSatisfy { !$0.contains("database open") } }, "\(refusals.withLock { $0 })")
    }

    // MARK: Queues

    @Test func aQueueIsBoundedByWhatItsWorkCosts() {
        let queue = WorkQueue<Int>(costMax: 10)
        #expect(queue.add(1, cost: 20), "one alone may cost more")
        #expect(!queue.add(2, cost: 1))
        #expect(queue.take(costMax: 100) == [1])
        #expect(queue.add(3, cost: 4) && queue.add(4, cost: 6) && !queue.add(5, cost: 1) && queue.cost == 10)
        queue.finish()
        #expect(!queue.add(6, cost: 1))
        #expect(queue.take(costMax: 100) == [3, 4])
        #expect(queue.take(costMax: 100) == nil)
    }

    /// What is taken is on its way, and only what is left may be as much as the bound.
    @Test func noMoreIsTakenThanIsWorkedOn() {
        let queue = WorkQueue<Int>(costMax: 10)
        for (work, cost) in [(1, 4), (2, 2), (3, 1), (4, 3)] { #expect(queue.add(work, cost: cost)) }
        #expect(queue.take(costMax: 6) == [1, 2] && queue.cost == 4)
        #expect(queue.add(5, cost: 6) && !queue.add(6, cost: 1))
        #expect(queue.take(costMax: 0) == [3] && queue.take(costMax: 1) == [4], "one in any case")
        queue.finish()
        #expect(queue.take(costMax: 6) == [5] && queue.cost == 0 && queue.take(costMax: 6) == nil)
    }

    @Test func aThreadThatSleepsIsWoken() async throws {
        let queue = WorkQueue<Int>(costMax: 1_000)
        let taken = Mutex<[Int]>([])
        let ended = Mutex(false)
        Thread {
            while let work = queue.take(costMax: 7) { taken.withLock { $0 += work } }
            ended.withLock { $0 = true }
        }.start()
        for number in 0..<200 {
            #expect(queue.add(number, cost: 1))
            if number % 20 == 0 { try await eventually(within: 10, "it is taken") { taken.withLock { $0.count } == number + 1 } }
        }
        queue.finish()
        try await eventually(within: 10, "the thread ends") { ended.withLock { $0 } }
        #expect(taken.withLock { $0 } == Array(0..<200))
    }
}
