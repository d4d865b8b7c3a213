// The window that repeats receipts: an entry stays for its whole time, a full window forgets nothing, and the same
// idempotency key at two destinations is two publishes.
import HashRing
import Testing

@testable import RingpostCore

@Suite struct IdempotencyWindowTests {
    private let slotOne = KeyHash(rawValue: 1 << 48)
    private let slotTwo = KeyHash(rawValue: 2 << 48)

    private func receipt(_ id: UInt64) -> Receipt {
        Receipt(sequence: id, epoch: 1, owner: "a", outcome: .stored, mirrored: false, id: MessageID(high: 0, low: id))
    }

    private func receipt(_ id: UInt64, until: Int64) -> Remembered { Remembered(receipt: receipt(id), until: until) }

    private func id(_ low: UInt64) -> MessageID { MessageID(high: 0, low: low) }

    @Test func anEntryLeavesExactlyAtItsTime() {
        var window = IdempotencyWindow(entriesMax: 10, milliseconds: 100)
        #expect(window.receipt(of: id(1), to: slotOne, now: 0) == nil)
        window.remember(receipt(1, until: 100), to: slotOne)
        window.remember(receipt(2, until: 150), to: slotOne)
        #expect(window.receipt(of: id(1), to: slotOne, now: 99) == receipt(1))
        #expect(window.receipt(of: id(1), to: slotOne, now: 100) == nil)
        #expect(window.receipt(of: id(2), to: slotOne, now: 149) == receipt(2))
        #expect(window.receipt(of: id(2), to: slotOne, now: 150) == nil)
        #expect(window.count == 0)
    }

    /// It waited for a link, or for somebody to take the slot over: what counts is when it was asked for.
    @Test func aRepeatThatHadToWaitIsInTime() {
        var window = IdempotencyWindow(entriesMax: 10, milliseconds: 100, waitMilliseconds: 30)
        window.remember(receipt(1, until: window.end(ofReceiptAt: 0)), to: slotOne)
        #expect(window.receipt(of: id(1), to: slotOne, now: 99) == receipt(1))
        #expect(window.receipt(of: id(1), to: slotOne, now: 100) == nil, "asked for too late")
        #expect(window.receipt(of: id(1), to: slotOne, age: 1, now: 100) == receipt(1))
        #expect(window.receipt(of: id(1), to: slotOne, age: 29, now: 129) == nil)
        #expect(window.receipt(of: id(1), to: slotOne, age: 30, now: 129) == receipt(1))
        #expect(window.entries(ofSlot: 1, now: 129).count == 1, "a copy has it as long")
        #expect(window.receipt(of: id(1), to: slotOne, age: 1_000, now: 130) == nil && window.count == 0)
    }

    @Test func oneKeyForTwoDestinationsIsTwoPublishes() {
        var window = IdempotencyWindow(entriesMax: 10, milliseconds: 100)
        window.remember(receipt(1, until: 100), to: slotOne)
        #expect(window.receipt(of: id(1), to: slotTwo, now: 1) == nil)
        #expect(window.receipt(of: id(1), to: slotOne, now: 1) == receipt(1))
    }

    @Test func aFullWindowForgetsNothingEarly() {
        var window = IdempotencyWindow(entriesMax: 2, milliseconds: 100)
        window.remember(receipt(1, until: 100), to: slotOne)
        #expect(window.hasRoom(for: .unnamed))
        window.remember(receipt(2, until: 110), to: slotOne)
        #expect(!window.hasRoom(for: .unnamed))
        #expect(window.receipt(of: id(1), to: slotOne, now: 99) == receipt(1))
        #expect(!window.hasRoom(for: .unnamed))
        #expect(window.receipt(of: id(1), to: slotOne, now: 100) == nil)
        #expect(window.hasRoom(for: .unnamed))
    }

    @Test func slotsThatChangeHandsTakeTheirEntriesAlong() {
        var window = IdempotencyWindow(entriesMax: 10, milliseconds: 100)
        window.remember(receipt(1, until: 100), to: slotOne)
        window.remember(receipt(2, until: 100), to: slotTwo)
        window.forget(slot: 1)
        #expect(window.receipt(of: id(1), to: slotOne, now: 1) == nil)
        #expect(window.receipt(of: id(2), to: slotTwo, now: 1) == receipt(2))
        #expect(window.entries(ofSlot: 1, now: 1).isEmpty)
        // Back again and remembered anew: the first time's end is not the second one's.
        window.remember(receipt(1, until: 160), to: slotOne)
        #expect(window.receipt(of: id(1), to: slotOne, now: 120) == receipt(1))
        #expect(window.count == 1)
    }

    @Test func whatComesFromAnotherNodeIsForgottenLateRatherThanEarly() {
        var window = IdempotencyWindow(entriesMax: 10, milliseconds: 100)
        window.remember(receipt(1, until: 100), to: slotOne)
        window.remember(receipt(2, until: 30), to: slotTwo)
        #expect(window.receipt(of: id(2), to: slotTwo, now: 29) == receipt(2))
        #expect(window.entries(ofSlot: 2, now: 29).map(\.1.until) == [30])
        #expect(window.entries(ofSlot: 2, now: 30).isEmpty, "but it moves no further")
        #expect(window.receipt(of: id(2), to: slotTwo, now: 100) == nil)
        #expect(window.count == 0)
    }

    @Test func aReceiptIsCorrectedWithoutBeingForgotten() {
        var window = IdempotencyWindow(entriesMax: 1, milliseconds: 100)
        window.remember(receipt(1, until: 100), to: slotOne)
        let mirrored = receipt(1).with(copies: 2)
        window.remember(Remembered(receipt: mirrored, until: 100), to: slotOne)
        #expect(window.count == 1)
        #expect(window.receipt(of: id(1), to: slotOne, now: 99) == mirrored)
        #expect(window.receipt(of: id(1), to: slotOne, now: 100) == nil)
    }

    @Test func aSlotsEntriesTravelOldestFirst() {
        var window = IdempotencyWindow(entriesMax: 10, milliseconds: 100, shardCount: 2)
        for number: UInt64 in 1...4 { window.remember(receipt(number, until: 100 + Int64(number)), to: slotTwo) }
        window.remember(receipt(5, until: 110), to: KeyHash(rawValue: 4 << 48))
        #expect(window.entries(ofSlot: 2, now: 0).map(\.1.until) == [101, 102, 103, 104])
        #expect(window.receipt(of: id(1), to: slotTwo, now: 102) == nil)
        #expect(window.entries(ofSlot: 2, now: 0).map(\.1.until) == [103, 104])
        #expect(window.entries(ofSlot: 4, now: 0).map(\.1.until) == [110])
    }

    /// What was forgotten with its slot has an end that comes later, and then it is another one's place.
    @Test func aPlaceThatIsUsedAgainKeepsItsNewTime() {
        var window = IdempotencyWindow(entriesMax: 10, milliseconds: 100)
        for number: UInt64 in 1...3 { window.remember(receipt(number, until: 100), to: slotOne) }
        window.forget(slot: 1)
        #expect(window.count == 0)
        for number: UInt64 in 4...6 { window.remember(receipt(number, until: 150), to: slotTwo) }
        #expect(window.receipt(of: id(5), to: slotTwo, now: 149) == receipt(5))
        #expect(window.entries(ofSlot: 2, now: 0).map(\.1.receipt) == [receipt(4), receipt(5), receipt(6)])
        #expect(window.receipt(of: id(5), to: slotTwo, now: 150) == nil)
        #expect(window.count == 0)
    }

    /// A mirror looks at its window seldom: the same key can come a second time, after its time, before the first entry has
    /// been looked at.
    @Test func aKeyThatComesAgainAfterItsTimeLeavesAtItsNewTime() {
        var window = IdempotencyWindow(entriesMax: 10, milliseconds: 100)
        window.remember(receipt(1, until: 100), to: slotOne)
        window.remember(receipt(1, until: 200), to: slotOne)
        #expect(window.receipt(of: id(1), to: slotOne, now: 150) == receipt(1))
        #expect(window.receipt(of: id(1), to: slotOne, now: 200) == nil)
        #expect(window.count == 0)
        #expect(window.entries(ofSlot: 1, now: 0).isEmpty)
    }

    @Test func nobodyWithACredentialFillsItAlone() {
        var window = IdempotencyWindow(entriesMax: 80, milliseconds: 100)
        var next: UInt64 = 0
        func fill(_ principal: Principal) -> Int {
            var count = 0
            while window.hasRoom(for: principal) {
                next += 1
                window.remember(Remembered(receipt: receipt(next), until: 100, principal: principal), to: slotOne)
                count += 1
            }
            return count
        }
        let (one, other, third) = (Principal(rawValue: 2), Principal(rawValue: 3), Principal(rawValue: 4))
        #expect(fill(one) == 60, "three times what is left")
        #expect(fill(other) == 15)
        #expect(fill(third) == 4)
        #expect(fill(.unnamed) == 1, "whoever needs no key takes all that is left")
        #expect(!window.hasRoom(for: one))
        #expect(window.receipt(of: id(1), to: slotOne, now: 100) == nil)
        #expect(window.count == 0)
        #expect(fill(other) == 60, "all are forgotten, and nobody counts for them any more")
        window.forget(slot: 1)
        #expect(fill(third) == 60)
    }

    @Test func aCorrectedReceiptIsStillWhoseItWas() {
        var window = IdempotencyWindow(entriesMax: 4, milliseconds: 100)
        let one = Principal(rawValue: 2)
        for number: UInt64 in 1...3 {
            window.remember(Remembered(receipt: receipt(number), until: 100, principal: one), to: slotOne)
            window.remember(Remembered(receipt: receipt(number).with(copies: 2), until: 100), to: slotOne)
        }
        #expect(!window.hasRoom(for: one) && window.hasRoom(for: Principal(rawValue: 4)))
        #expect(window.entries(ofSlot: 1, now: 0).allSatisfy { $0.1.principal == one && $0.1.receipt.mirrored })
    }
}

extension IdempotencyWindow {
    fileprivate mutating func receipt(of id: MessageID, to key: KeyHash, age: Int64 = 0, now: Int64) -> Receipt? {
        first(of: id, to: key, age: age, now: now)?.receipt
    }
}
