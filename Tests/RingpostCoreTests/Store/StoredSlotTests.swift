// A slot that was written step by step, or whole, is the same slot when it is read: held against the mailboxes in memory that have had the
// same steps.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct StoredSlotTests {
    private let hasher = KeyHasher(seed: SipKey(ascii: "store slot tests"))

    /// Names that all lie in one slot.
    private func keys(_ count: Int, _ kind: KeyKind) throws -> [Key] {
        var keys: [Key] = []
        for number in 0... {
            let key = try Key(kind, name: Array("name-\(number)".utf8), hasher: hasher)
            if key.slot % 256 == 3 { keys.append(Key(kind, trusted: key.name, hash: key.hash)) }
            if keys.count == count { break }
        }
        return keys
    }

    /// One name, and its slot.
    private func key(_ name: String, _ kind: KeyKind = .user) throws -> Key { try Key(kind, name: Array(name.utf8), hasher: hasher) }

    private func head(_ position: UInt64 = 1) -> SlotHead {
        SlotHead(kind: .copy, term: 3, position: position, fence: 3, origin: 9, set: LineageSet(number: 3, lineages: [5]))
    }

    private func message(_ key: Key, _ sequence: UInt64, expiresAt: Int64 = .max, incarnation: UInt64 = 70) -> StoredMessage {
        let id = MessageID(high: key.hash.rawValue, low: sequence)
        return StoredMessage(
            sequence: sequence,
            envelope: Envelope.encode(
                key, sequence: sequence, incarnation: incarnation, id: id, at: 1_700_000_000_000, from: [], data: [0x31]),
            expiresAt: expiresAt, publishedAt: 1_700_000_000_000_001, id: id)
    }

    private func remembered(_ message: StoredMessage, until: Int64) -> Remembered {
        Remembered(
            receipt: Receipt(sequence: message.sequence, epoch: 3, owner: "n1", outcome: .stored, mirrored: true, id: message.id),
            until: until)
    }

    private func write(_ changes: [SlotChange], of slot: Int, at now: Int64, _ encoder: inout SlotEncoder, _ store: inout StoredSlots) {
        encoder.encode(StoreTick(now: now, slots: [SlotWrite(slot: slot, head: head(), changes: changes)]), into: &store)
        encoder.finish(into: &store)
    }

    // MARK: Steps

    /// Random steps go into memory and into the store, with another process now and then; what is read is what memory has.
    @Test(arguments: 1...40 as ClosedRange<UInt64>) func stepsAreReadAsMemoryHasThem(_ seed: UInt64) throws {
        var generator = SplitMix64(seed: seed)
        func random(_ count: Int) -> Int { Int(generator.next() % UInt64(count)) }
        var limits = MailboxLimits()
        limits.historyMessagesMax = 1 + random(8)
        let name = try key("seed-\(seed)", random(2) == 0 ? .user : .channel)
        let slot = name.slot
        var memory = MailboxStore(limits: limits)
        memory.beginOrigin(slot: slot, term: 3, boot: 4)
        var store = StoredSlots()
        var encoder = SlotEncoder(clock: StoreClock(goingOnFrom: 0, at: 5_000), present: [])
        var (now, sequence, trimmed) = (Int64(5_000), UInt64(0), UInt64(0))
        let incarnation = memory.incarnation(ofNew: name)
        for _ in 0..<60 {
            now += Int64(random(3_000))
            var changes: [SlotChange] = []
            for _ in 0..<1 + random(3) {
                let entry: SlotEntry
                switch random(8) {
                case 0 where name.kind == .user: entry = .seen(name, at: 1_700_000_000_000 + now)
                case 1 where sequence > 0: entry = .belongs(name, to: Principal(rawValue: UInt64(random(3))))
                case 2 where sequence == 0 && name.kind == .user: entry = .created(name, incarnation: incarnation)
                case 3: entry = .nothing
                default:
                    sequence += 1
                    let expiresAt = random(4) == 0 ? now + Int64(random(20_000)) : .max
                    let message = message(name, sequence, expiresAt: expiresAt, incarnation: incarnation)
                    entry = .message(
                        name, incarnation: incarnation, message, random(2) == 0 ? remembered(message, until: now + 30_000) : nil)
                }
                if case .seen = entry, memory.mailboxIndex(of: name) == nil { continue }
                memory.apply(entry, now: now)
                changes.append(.step(entry))
            }
            if let mailbox = memory.mailboxIndex(of: name).map({ memory.mailboxes.all[$0] }), let first = mailbox.history.first?.sequence,
                first - 1 > trimmed
            {
                trimmed = first - 1
                changes.append(
                    .trim(name, MailboxBounds(through: trimmed, resumableFrom: mailbox.resumableFrom, lostThrough: mailbox.lostThrough)))
            }
            write(changes, of: slot, at: now, &encoder, &store)
            if random(10) == 0 {
                // Another process, another clock; nothing of it is seen, because times are what remains.
                encoder = SlotEncoder(clock: StoreClock(goingOnFrom: try #require(store.clock), at: now), present: [slot])
            }
            var clock = encoder.clock
            clock.advance(to: now)
            let loaded = try store.load(slot, hasher: hasher, clock: clock, limits: limits)
            let kept = memory.chunks(ofSlot: slot, base: 3, position: 1, now: now, bytesMax: 1_024).flatMap(\.items)
            #expect(sorted(loaded) == sorted(kept), "seed \(seed)")
        }
    }

    /// Receipts have no order among them.
    private func sorted(_ items: [SnapshotItem]) -> [SnapshotItem] {
        func rank(_ item: SnapshotItem) -> UInt64 {
            if case .remembered(_, let remembered) = item { 1 + remembered.receipt.sequence } else { 0 }
        }
        return items.filter { rank($0) == 0 } + items.filter { rank($0) > 0 }.sorted { rank($0) < rank($1) }
    }

    @Test func timesStandStillWhileNoProcessHasTheStore() throws {
        let name = try key("alice")
        var store = StoredSlots()
        var encoder = SlotEncoder(clock: StoreClock(goingOnFrom: 0, at: 1_000), present: [])
        let first = message(name, 1, expiresAt: 61_000)
        write([.step(.message(name, incarnation: 70, first, remembered(first, until: 31_000)))], of: name.slot, at: 1_000, &encoder, &store)
        write([], of: name.slot, at: 11_000, &encoder, &store)
        // Ten seconds have gone. The machine starts anew: its clock is lower, and a day has passed for people.
        var clock = StoreClock(goingOnFrom: try #require(store.clock), at: 77)
        clock.advance(to: 77 + 5_000)
        let items = try store.load(name.slot, hasher: hasher, clock: clock)
        guard items.count == 3, case .message(let message) = items[1], case .remembered(let hash, let receipt) = items[2] else {
            Issue.record("\(items)")
            return
        }
        #expect(message.expiresAt == 60_000 - 15_000)
        #expect(message.appendedAt == -15_000)
        #expect(hash == name.hash && receipt.until == 30_000 - 15_000)
    }

    // MARK: Copies

    @Test func aCopyIsReadAsItCame() throws {
        let names = try [key("alice"), key("alice", .channel)]
        for name in names {
            var memory = MailboxStore()
            for sequence in 1...5 as ClosedRange<UInt64> {
                let message = message(name, sequence)
                memory.apply(.message(name, incarnation: 70, message, remembered(message, until: 40_000)), now: 1_000 * Int64(sequence))
            }
            memory.apply(.belongs(name, to: Principal(rawValue: 12)), now: 6_000)
            memory.apply(.seen(name, at: 1_700_000_000_000), now: 6_000)
            let chunks = memory.chunks(ofSlot: name.slot, base: 3, position: 1, now: 7_000, bytesMax: 200)
            #expect(chunks.count > 1)
            var store = StoredSlots()
            var encoder = SlotEncoder(clock: StoreClock(goingOnFrom: 500, at: 7_000), present: [])
            write([.copy(chunks)], of: name.slot, at: 7_000, &encoder, &store)
            #expect(sorted(try store.load(name.slot, hasher: hasher, clock: encoder.clock)) == sorted(chunks.flatMap(\.items)))
        }
    }

    @Test func theOrderOfUseComesBack() throws {
        let slotNames = try keys(400, .user).reduce(into: [Int: [Key]]()) { $0[$1.slot, default: []].append($1) }
        let names = try #require(slotNames.values.max { $0.count < $1.count })
        #expect(names.count > 2)
        var memory = MailboxStore()
        for (number, name) in names.reversed().enumerated() {
            memory.apply(.message(name, incarnation: 70, message(name, 1), nil), now: 1_000 * Int64(number + 1))
        }
        let chunks = memory.chunks(ofSlot: names[0].slot, base: 3, position: 1, now: 700_000, bytesMax: 200)
        var store = StoredSlots()
        var encoder = SlotEncoder(clock: StoreClock(goingOnFrom: 500, at: 700_000), present: [])
        write([.copy(chunks)], of: names[0].slot, at: 700_000, &encoder, &store)
        #expect(try store.load(names[0].slot, hasher: hasher, clock: encoder.clock) == chunks.flatMap(\.items))
        // A step makes its mailbox the one that was used last.
        write([.step(.message(names[0], incarnation: 70, message(names[0], 2), nil))], of: names[0].slot, at: 701_000, &encoder, &store)
        let heads = try store.load(names[0].slot, hasher: hasher, clock: encoder.clock).compactMap { item -> Key? in
            if case .mailbox(let head) = item { head.key } else { nil }
        }
        #expect(heads.last == names[0])
    }

    @Test func nothingOfTheCopyBeforeIsLeft() throws {
        let name = try key("alice")
        var store = StoredSlots()
        var encoder = SlotEncoder(clock: StoreClock(goingOnFrom: 0, at: 0), present: [])
        let old = message(name, 9)
        write([.step(.message(name, incarnation: 1, old, remembered(old, until: 30_000)))], of: name.slot, at: 0, &encoder, &store)
        let copy = SnapshotChunk(
            isFirst: true, isLast: true, base: 4, position: 2,
            items: [
                .mailbox(MailboxHead(key: name, incarnation: 2, appended: 1, resumableFrom: 0, lostAgo: .max)), .message(message(name, 1)),
            ])
        write([.copy([copy])], of: name.slot, at: 0, &encoder, &store)
        #expect(try store.load(name.slot, hasher: hasher, clock: encoder.clock) == copy.items)
        write([.drop], of: name.slot, at: 0, &encoder, &store)
        #expect(try store.load(name.slot, hasher: hasher, clock: encoder.clock) == [])
        #expect(store.head(ofSlot: name.slot) == head())
    }

    /// Nothing says that a slot's first write has one change only.
    @Test func nothingOfTheSameWriteIsLeftEither() throws {
        let name = try key("alice")
        func copy(_ sequence: UInt64) -> SnapshotChunk {
            let head = MailboxHead(key: name, incarnation: 2, appended: sequence, resumableFrom: sequence - 1, lostAgo: .max)
            return SnapshotChunk(
                isFirst: true, isLast: true, base: 4, position: 2, items: [.mailbox(head), .message(message(name, sequence))])
        }
        let step = SlotChange.step(.message(name, incarnation: 1, message(name, 9), nil))
        for (changes, left) in [
            ([step, .drop], []), ([.copy([copy(1)]), .drop], []), ([step, .copy([copy(3)])], copy(3).items),
            ([.copy([copy(5)]), .copy([copy(3)])], copy(3).items),
        ] {
            var store = StoredSlots()
            var encoder = SlotEncoder(clock: StoreClock(goingOnFrom: 0, at: 0), present: [])
            write(changes, of: name.slot, at: 0, &encoder, &store)
            #expect(try store.load(name.slot, hasher: hasher, clock: encoder.clock) == left)
        }
    }

    // MARK: Bounds

    /// The receipt of a message that the history has lost is remembered as long as any other.
    @Test func aReceiptOutlivesItsMessage() throws {
        let name = try key("alice")
        var store = StoredSlots()
        var encoder = SlotEncoder(clock: StoreClock(goingOnFrom: 0, at: 0), present: [])
        let first = message(name, 1)
        // As long as a window remembers one.
        let until = MailboxLimits().receiptMilliseconds
        write([.step(.message(name, incarnation: 70, first, remembered(first, until: until)))], of: name.slot, at: 0, &encoder, &store)
        write([.step(.message(name, incarnation: 70, message(name, 2), nil))], of: name.slot, at: 1_000, &encoder, &store)
        write(
            [.trim(name, MailboxBounds(through: 1, resumableFrom: 1, lostThrough: 0))], of: name.slot, at: 2_000, &encoder, &store)
        let place = StoreKey.message(1, inMailbox: StoreKey.mailbox(name))
        func kinds() throws -> [String] {
            try store.load(name.slot, hasher: hasher, clock: encoder.clock).map { item in
                switch item {
                case .mailbox(let head): "\(head.resumableFrom)…\(head.appended)"
                case .message(let message): "message \(message.sequence)"
                case .remembered(_, let remembered): "receipt \(remembered.receipt.sequence)"
                }
            }
        }
        #expect(try kinds() == ["1…2", "message 2", "receipt 1"])
        write([], of: name.slot, at: until - 1, &encoder, &store)
        #expect(try kinds() == ["1…2", "message 2", "receipt 1"])
        write([], of: name.slot, at: until + 1, &encoder, &store)
        #expect(try kinds() == ["1…2", "message 2"])
        #expect(store.tables[.contents]?[place] != nil)
        write([], of: name.slot, at: until + 2_001, &encoder, &store)
        #expect(store.tables[.contents]?[place] == nil && encoder.pendingTrimCount == 0)
        #expect(try kinds() == ["1…2", "message 2"])
    }

    /// Bounds that follow from each other: a window's length, how long a trim waits, how far back a loader looks for receipts.
    @Test func aReceiptOfALongerWindowOutlivesItsMessageToo() throws {
        let name = try key("alice")
        var limits = MailboxLimits()
        limits.historyMessagesMax = 1
        limits.windowMilliseconds = 100_000
        var store = StoredSlots()
        var encoder = SlotEncoder(clock: StoreClock(goingOnFrom: 0, at: 0), present: [], limits: limits)
        let first = message(name, 1)
        write([.step(.message(name, incarnation: 70, first, remembered(first, until: 110_000)))], of: name.slot, at: 0, &encoder, &store)
        for sequence in 2...4 as ClosedRange<UInt64> {
            write([.step(.message(name, incarnation: 70, message(name, sequence), nil))], of: name.slot, at: 1_000, &encoder, &store)
        }
        write([.trim(name, MailboxBounds(through: 3, resumableFrom: 3, lostThrough: 0))], of: name.slot, at: 2_000, &encoder, &store)
        write([], of: name.slot, at: 109_000, &encoder, &store)
        let items = try store.load(name.slot, hasher: hasher, clock: encoder.clock, limits: limits)
        #expect(items.count == 3, "a mailbox, its message, and the first one's receipt")
    }

    /// A mailbox that begins anew under its name doesn't lose what the one before it was to lose.
    @Test func whatIsForgottenIsNotTrimmed() throws {
        let name = try key("alice")
        for forgets in [SlotChange.forget(name), .drop] {
            var store = StoredSlots()
            var encoder = SlotEncoder(clock: StoreClock(goingOnFrom: 0, at: 0), present: [name.slot])
            write([.step(.message(name, incarnation: 70, message(name, 1), nil))], of: name.slot, at: 0, &encoder, &store)
            write(
                [.trim(name, MailboxBounds(through: 1, resumableFrom: 1, lostThrough: 0)), forgets], of: name.slot, at: 0, &encoder, &store)
            write([.step(.message(name, incarnation: 71, message(name, 1), nil))], of: name.slot, at: 1_000, &encoder, &store)
            write([], of: name.slot, at: 60_000, &encoder, &store)
            #expect(try store.load(name.slot, hasher: hasher, clock: encoder.clock).count == 2)
        }
    }

    /// Memory's bound counts, not the node's: a namespace may keep more than that.
    @Test func moreThanMemoryKeepsIsNotRead() throws {
        let name = try key("alice")
        var limits = MailboxLimits()
        (limits.historyMessagesMax, limits.memoryMessagesMax) = (0, 3)
        var store = StoredSlots()
        var encoder = SlotEncoder(clock: StoreClock(goingOnFrom: 0, at: 0), present: [])
        for sequence in 1...10 as ClosedRange<UInt64> {
            let message = message(name, sequence)
            write(
                [.step(.message(name, incarnation: 70, message, sequence == 1 ? remembered(message, until: 31_000) : nil))], of: name.slot,
                at: 1_000 * Int64(sequence), &encoder, &store)
        }
        let items = try store.load(name.slot, hasher: hasher, clock: encoder.clock, limits: limits)
        #expect(items.count == 5, "three messages, and the receipt of one that was not read")
        guard case .mailbox(let head) = items[0], case .message(let first) = items[1] else { return }
        #expect(head.resumableFrom == 7 && head.appended == 10 && head.lostAgo == 3_000 && first.sequence == 8)
    }

    // MARK: Numbers at their ends

    /// As no owner writes them; but what is on a disk must not end the process that reads it.
    @Test func theLastSequenceNumberIsOneToo() throws {
        let name = try key("alice")
        var store = StoredSlots()
        var encoder = SlotEncoder(clock: StoreClock(goingOnFrom: 0, at: 0), present: [])
        write([.step(.message(name, incarnation: 70, message(name, .max), nil))], of: name.slot, at: 0, &encoder, &store)
        #expect(try store.load(name.slot, hasher: hasher, clock: encoder.clock).count == 2)
        func read(after: UInt64) -> [UInt64] {
            var source = store.source
            return HistoryLoad(key: name, incarnation: 70, after: after, messagesMax: 9, bytesMax: .max, now: 0)
                .read(from: &source, clock: encoder.clock).messages.map(\.sequence)
        }
        #expect(read(after: .max - 1) == [.max])
        #expect(read(after: .max) == [])
        write([.trim(name, MailboxBounds(through: .max, resumableFrom: .max, lostThrough: 0))], of: name.slot, at: 0, &encoder, &store)
        #expect(read(after: 0) == [])
        write([], of: name.slot, at: 100_000, &encoder, &store)
        #expect(encoder.pendingTrimCount == 0 && store.source.count == 1, "its bounds")
        // Made known by its end alone, with no message.
        let user = MailboxHead(key: name, incarnation: 2, appended: .max, resumableFrom: .max, lostAgo: .max)
        let copy = SnapshotChunk(isFirst: true, isLast: true, base: 4, position: 2, items: [.mailbox(user)])
        write([.copy([copy])], of: name.slot, at: 100_000, &encoder, &store)
        #expect(try store.load(name.slot, hasher: hasher, clock: encoder.clock) == copy.items)
    }

    @Test func aMessageWithoutANumberIsDamage() throws {
        let name = try key("alice")
        var store = StoredSlots()
        var encoder = SlotEncoder(clock: StoreClock(goingOnFrom: 0, at: 0), present: [])
        write([.step(.message(name, incarnation: 70, message(name, 0), nil))], of: name.slot, at: 0, &encoder, &store)
        #expect(throws: StoreDamage.self) { try store.load(name.slot, hasher: hasher, clock: encoder.clock) }
    }

    // MARK: Histories

    @Test func aPartOfAHistoryIsReadInItsOrder() throws {
        let (name, other) = (try key("alice"), try key("alice", .channel))
        var store = StoredSlots()
        var encoder = SlotEncoder(clock: StoreClock(goingOnFrom: 0, at: 0), present: [])
        for name in [name, other] {
            for sequence in 1...10 as ClosedRange<UInt64> {
                write([.step(.message(name, incarnation: 70, message(name, sequence), nil))], of: name.slot, at: 0, &encoder, &store)
            }
        }
        func read(after: UInt64, _ messagesMax: Int = 100, bytesMax: Int = .max, incarnation: UInt64 = 70, of key: Key? = nil) -> [UInt64] {
            var source = store.source
            return HistoryLoad(
                key: key ?? name, incarnation: incarnation, after: after, messagesMax: messagesMax, bytesMax: bytesMax, now: 0
            ).read(from: &source, clock: encoder.clock).messages.map(\.sequence)
        }
        #expect(read(after: 0) == Array(1...10))
        #expect(read(after: 7) == [8, 9, 10])
        #expect(read(after: 2, 3) == [3, 4, 5])
        #expect(read(after: 10) == [] && read(after: 99) == [])
        #expect(read(after: 0, bytesMax: 1) == [1], "one in any case")
        #expect(read(after: 0, bytesMax: 2 * message(name, 1).envelope.count) == [1, 2])
        #expect(read(after: 0, incarnation: 71) == [])
        #expect(try read(after: 8, of: other) == [9, 10] && read(after: 0, of: key("bob")) == [])
        // What has left the history is not read, though it still lies there.
        write([.trim(name, MailboxBounds(through: 4, resumableFrom: 4, lostThrough: 0))], of: name.slot, at: 0, &encoder, &store)
        #expect(encoder.pendingTrimCount == 1)
        #expect(read(after: 0) == Array(5...10) && read(after: 6) == Array(7...10))
        func back(_ through: UInt64, after: UInt64 = 0, _ messagesMax: Int = 100) -> [UInt64] {
            var source = store.source
            return HistoryLoad(
                key: name, incarnation: 70, after: after, through: through, isBackwards: true, messagesMax: messagesMax, bytesMax: .max,
                now: 0
            ).read(from: &source, clock: encoder.clock).messages.map(\.sequence)
        }
        #expect(
            back(9, after: 4) == Array(5...9) && back(9, after: 4, 2) == [8, 9] && back(99, after: 9) == [10] && back(4, after: 4) == [])
    }

    // MARK: Damage

    /// Whichever record it is that a disk doesn't give back, and whatever was read before.
    @Test func aRecordThatCanNotBeReadIsNoEnd() throws {
        let (name, now) = (try key("alice"), Int64(40_000))
        var store = StoredSlots()
        var encoder = SlotEncoder(clock: StoreClock(goingOnFrom: 0, at: now), present: [])
        var memory = MailboxStore()
        for sequence in 1...5 as ClosedRange<UInt64> {
            let message = message(name, sequence)
            memory.apply(.message(name, incarnation: 70, message, remembered(message, until: now + 30_000)), now: now)
        }
        memory.apply(.seen(name, at: 1_700_000_000_000), now: now)
        let chunks = memory.chunks(ofSlot: name.slot, base: 3, position: 1, now: now, bytesMax: 1_024)
        write([.copy(chunks)], of: name.slot, at: now, &encoder, &store)
        #expect(store.source.count == 13, "three parts, five messages, five receipts")
        for damaged in 0..<13 {
            var (source, again) = (store.source(damaged: damaged), store.source(damaged: damaged))
            var loader = SlotLoader(slot: name.slot, hasher: hasher, clock: encoder.clock, limits: StoredHistoryLimits())
            #expect(throws: StoreDamage.self, "record \(damaged)") { try loader.read(from: &source) }
            let history = HistoryLoad(
                key: name, incarnation: 70, after: 0, through: 5, messagesMax: 100, bytesMax: .max, now: now)
            // Of a history what comes before a message that can't be read is read, and then what comes after it.
            let part = history.read(from: &again, clock: encoder.clock)
            let numbers = part.messages.map(\.sequence)
            switch damaged {
            case 3: #expect(part.isDamaged && numbers == [2, 3, 4, 5])
            case 4...7: #expect(part.isDamaged && numbers == Array(1...UInt64(damaged - 3)))
            default: #expect(!part.isDamaged && numbers == [1, 2, 3, 4, 5], "record \(damaged)")
            }
        }
    }

    @Test func whatCanNotBeReadIsToldFromNothing() throws {
        let name = try key("alice")
        var store = StoredSlots()
        var encoder = SlotEncoder(clock: StoreClock(goingOnFrom: 0, at: 0), present: [])
        write([.step(.message(name, incarnation: 70, message(name, 1), nil))], of: name.slot, at: 0, &encoder, &store)
        let whole = store
        for (key, value) in whole.tables[.contents] ?? [:] {
            store = whole
            store.put(key, Array(value.prefix(5)), in: .contents)
            #expect(throws: StoreDamage.self) { try store.load(name.slot, hasher: hasher, clock: encoder.clock) }
            store = whole
            store.put(key + [1], value, in: .contents)
            #expect(throws: StoreDamage.self) { try store.load(name.slot, hasher: hasher, clock: encoder.clock) }
        }
        #expect(throws: StoreDamage.self, "another cluster's names") {
            try whole.load(name.slot, hasher: KeyHasher(seed: SipKey(ascii: "another clusters")), clock: encoder.clock)
        }
    }
}
