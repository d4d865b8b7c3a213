// The table of requests that wait for an answer: its numbers are not used twice, so a late answer finds nothing.
// What the requests are is nobody's business here.
import RingpostCore
import Testing

@Suite struct RequestTableTests {
    @Test func takesWhatWasInserted() {
        var table = RequestTable<String>(countMax: 4)
        let one = table.insert("one") ?? 0
        let two = table.insert("two") ?? 0
        #expect(one != two && one != 0)
        #expect(table[one] == "one")
        #expect(table.take(one) == "one")
        #expect(table[one] == nil)
        #expect(table.take(one) == nil)
        #expect(table.take(two) == "two")
        #expect(table.count == 0)
    }

    @Test func aPlaceThatIsUsedAgainGetsAnotherNumber() {
        var table = RequestTable<Int>(countMax: 1)
        var numbers: Set<UInt64> = []
        for request in 0..<1_000 {
            let number = table.insert(request) ?? 0
            #expect(numbers.insert(number).inserted)
            #expect(numbers.allSatisfy { $0 == number || table[$0] == nil })
            #expect(table.take(number) == request)
        }
    }

    @Test func isBounded() {
        var table = RequestTable<Int>(countMax: 2)
        let one = table.insert(1) ?? 0
        #expect(table.insert(2) != nil)
        #expect(table.insert(3) == nil)
        #expect(table.count == 2)
        #expect(table.take(one) == 1)
        #expect(table.insert(4) != nil)
    }

    @Test func takesAllThatMatch() {
        var table = RequestTable<Int>(countMax: 10)
        let numbers = (0..<6).compactMap { table.insert($0) }
        #expect(table.takeAll { $0 % 2 == 0 }.map(\.request) == [0, 2, 4])
        #expect(table.count == 3)
        #expect(numbers.map { table[$0] } == [nil, 1, nil, 3, nil, 5])
        #expect(table.numbers == [numbers[1], numbers[3], numbers[5]])
    }

    @Test func strangeNumbersFindNothing() {
        var table = RequestTable<Int>(countMax: 2)
        let number = table.insert(1) ?? 0
        for strange in [0, 1, .max, number + 1, number + 1 << 32, number - 1 << 32] { #expect(table.take(strange) == nil) }
        #expect(table.count == 1)
    }
}
