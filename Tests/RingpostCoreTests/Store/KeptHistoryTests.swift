// A copy that comes in place of another one: what the store has of histories stays, where it is certain that it is the same.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct KeptHistoryTests {
    private let hasher = KeyHasher(seed: SipKey(ascii: "kept histories.."))

    /// A copy with a store.
    private struct Holder {
        var memory: MailboxStore
        var store = StoredSlots()
        var encoder = SlotEncoder(clock: StoreClock(goingOnFrom: 0, at: 0), present: [])
        let key: Key
        var now: Int64 = 0

        init(_ key: Key, memoryMessagesMax: Int = 10, hasStore: Bool = true) {
            var limits = MailboxLimits()
            limits.memoryMessagesMax = memoryMessagesMax
            limits.historyMessagesMax = 1_000_000
            memory = MailboxStore(limits: limits)
            if hasStore { memory.journal = SlotJournal() }
            self.key = key
        }

        static func message(_ key: Key, _ sequence: UInt64, text: UInt8 = 0x31) -> StoredMessage {
            let id = MessageID(high: 1, low: sequence)
            return StoredMessage(
                sequence: sequence,
                envelope: Envelope.encode(key, sequence: sequence, incarnation: 70, id: id, at: 1_700_000_000_000, from: [], data: [text]),
                id: id)
        }

        mutating func apply(_ numbers: ClosedRange<UInt64>, text: UInt8 = 0x31) {
            for number in numbers {
                now += 1
                let entry = SlotEntry.message(key, incarnation: 70, Self.message(key, number, text: text), nil)
                memory.apply(entry, now: now)
                memory.journal?.add(.step(entry), slot: key.slot)
            }
        }

        mutating func flush() {
            let head = SlotHead(kind: .copy, term: 3, position: 1, fence: 3, origin: 9, set: LineageSet(number: 3, lineages: [5]))
            let writes = memory.takeChanges().map { SlotWrite(slot: $0.slot, head: head, changes: $0.changes) }
            encoder.encode(StoreTick(now: now, slots: writes), into: &store)
            encoder.finish(into: &store)
        }

        func copy() -> [SnapshotChunk] { memory.chunks(ofSlot: key.slot, base: 3, position: 1, now: now, bytesMax: 1_024) }

        /// As a log does it.
        mutating func replace(by chunks: [SnapshotChunk]) {
            let kept = memory.keptOlder(ofSlot: key.slot, by: chunks)
            memory.journal?.add(.copy(chunks, keeping: kept), slot: key.slot)
            memory.replace(slot: key.slot, with: chunks, keeping: kept, now: now)
            flush()
        }

        /// All messages that lie in the store.
        var stored: [UInt64] {
            var source = store.source
            return HistoryLoad(key: key, incarnation: 70, after: 0, messagesMax: .max, bytesMax: .max, now: now)
                .read(from: &source, clock: encoder.clock).messages.map(\.sequence)
        }

        /// How many messages count as kept behind memory, and the place at which a cursor can be brought on.
        var older: [Int] {
            guard let mailboxIndex = memory.mailboxIndex(of: key) else { return [] }
            return [memory.older[mailboxIndex]?.count ?? 0, Int(memory.mailboxes.all[mailboxIndex].resumableFrom)]
        }
    }

    private func key() throws -> Key { try Key(.user, name: Array("alice".utf8), hasher: hasher) }

    @Test func whatComesBeforeTheSameMessageStays() throws {
        let key = try key()
        var (owner, holder) = (Holder(key), Holder(key))
        owner.apply(1...100)
        holder.apply(1...95)
        holder.flush()
        holder.replace(by: owner.copy())
        #expect(holder.older == [90, 0] && holder.stored == Array(1...100))
        // And once more, after another process has read it.
        var (loader, source) = (
            SlotLoader(slot: key.slot, hasher: hasher, clock: holder.encoder.clock, limits: StoredHistoryLimits(holder.memory.limits)),
            holder.store.source
        )
        try loader.read(from: &source)
        let head = SlotHead(kind: .copy, term: 3, position: 1, fence: 3, origin: 9, set: LineageSet(number: 3, lineages: [5]))
        let read = loader.slot(of: head, bytesMax: 1_024)
        holder.memory.replace(
            slot: key.slot, with: read.chunks, keeping: read.older.mapValues { $0.shifted(by: holder.now) }, now: holder.now)
        #expect(holder.older == [90, 0])
        owner.apply(101...105)
        holder.replace(by: owner.copy())
        #expect(holder.older == [95, 0] && holder.stored == Array(1...105))
    }

    @Test func whatIsStillOnItsWayToTheStoreStaysToo() throws {
        let key = try key()
        var (owner, holder) = (Holder(key), Holder(key))
        owner.apply(1...100)
        holder.apply(1...95)
        holder.replace(by: owner.copy())
        #expect(holder.older == [90, 0] && holder.stored == Array(1...100))
    }

    /// A log that others have gone on without may have any number of messages of its own at its end.
    @Test func anotherHistoryIsNotTakenForTheSame() throws {
        let key = try key()
        var (owner, holder) = (Holder(key), Holder(key))
        owner.apply(1...100)
        holder.apply(1...40)
        holder.apply(41...100, text: 0x32)
        holder.flush()
        holder.replace(by: owner.copy())
        #expect(holder.older == [0, 90] && holder.stored == Array(91...100))
    }

    @Test func whatDoesNotReachTheCopyIsDropped() throws {
        let key = try key()
        var (owner, holder) = (Holder(key), Holder(key))
        owner.apply(1...100)
        holder.apply(1...90)
        holder.flush()
        holder.replace(by: owner.copy())
        #expect(holder.older == [0, 90], "nothing says that it is the same")
    }

    @Test func aCopyThatGoesBackFurtherIsOneHistoryWithWhatIsBeforeIt() throws {
        let key = try key()
        var (owner, holder) = (Holder(key, memoryMessagesMax: 60, hasStore: true), Holder(key))
        owner.apply(1...100)
        holder.apply(1...98)
        holder.flush()
        holder.replace(by: owner.copy())
        // Of the sixty that have come memory keeps ten.
        #expect(holder.older == [90, 0] && holder.stored == Array(1...100))
    }

    @Test func aNewHoldersCopyBeginsWithWhatMemoryHas() throws {
        let key = try key()
        var (owner, holder) = (Holder(key), Holder(key))
        owner.apply(1...100)
        holder.replace(by: owner.copy())
        #expect(holder.older == [0, 90] && holder.stored == Array(91...100))
    }

    @Test func otherMailboxesOfTheSlotAreReplacedWhole() throws {
        let key = try key()
        var (owner, holder) = (Holder(key), Holder(key))
        owner.apply(1...100)
        holder.apply(1...95)
        let before = Key(.channel, trusted: Array("aaa".utf8), hash: key.hash)
        let after = Key(.user, trusted: Array("zzz".utf8), hash: key.hash)
        for other in [before, after] {
            let entry = SlotEntry.message(other, incarnation: 71, Holder.message(other, 1), nil)
            holder.memory.apply(entry, now: 1)
            holder.memory.journal?.add(.step(entry), slot: key.slot)
        }
        holder.flush()
        holder.replace(by: owner.copy())
        let mailbox = StoreKey.mailbox(key)
        #expect(holder.stored == Array(1...100))
        #expect(holder.store.tables[.contents]?.keys.allSatisfy { $0.starts(with: mailbox) } == true)
    }
}
