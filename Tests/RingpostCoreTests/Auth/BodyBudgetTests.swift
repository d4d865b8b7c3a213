// Who may hold how many bytes of bodies, and whose room is whose.
import RingpostCore
import Testing

@Suite struct BodyBudgetTests {
    private static let share = 1_024 * 1_024
    private static let small = BodyBudget.smallBytesMax

    @Test func anOwnerHasAShareAndNoMore() {
        var budget = BodyBudget(shareBytesMax: Self.share)
        #expect(budget.takes(Self.share, for: .key("a")) && !budget.takes(Self.share + 1, for: .key("a")))
        budget.charge(Self.share - 10, to: .key("a"))
        #expect(budget.takes(10, for: .key("a")) && !budget.takes(11, for: .key("a")))
        #expect(budget.takes(Self.share, for: .key("b")) && budget.takes(Self.share, for: .nobody), "others have theirs")
        budget.charge(-10, to: .key("a"))
        #expect(budget.takes(20, for: .key("a")))
    }

    @Test func whoeverAsksIsItsKeyOrItsNetwork() throws {
        let address = try #require(SourceAddress("2001:db8::1"))
        #expect(ByteOwner(key: "a", address: address) == .key("a") && ByteOwner(key: nil, address: nil) == .nobody)
        #expect(ByteOwner(key: nil, address: address) == ByteOwner(key: nil, address: SourceAddress("2001:db8::2")))
        #expect(ByteOwner(key: nil, address: address) == .address(address.counted))
    }

    @Test func addressesAndKeysAreDifferentOwners() {
        var budget = BodyBudget(shareBytesMax: Self.share)
        budget.charge(Self.share, to: .address(SourceAddress(ipv4: 1)))
        #expect(!budget.takes(1, for: .address(SourceAddress(ipv4: 1))))
        #expect(budget.takes(1, for: .address(SourceAddress(ipv4: 2))) && budget.takes(1, for: .key("1")))
    }

    @Test func whereAllSharesAreTakenThereIsRoomForWhoBringsLittle() {
        var budget = BodyBudget(shareBytesMax: Self.share)
        for owner in 0..<BodyBudget.shareCount { budget.charge(Self.share, to: .key("\(owner)")) }
        #expect(!budget.takes(Self.small + 1, for: .key("new")) && budget.takes(Self.small, for: .key("new")))
        budget.charge(Self.small, to: .key("new"))
        #expect(!budget.takes(1, for: .key("new")), "that was not little")
        // That room ends as well.
        for owner in 1..<Self.share / Self.small { budget.charge(Self.small, to: .key("small \(owner)")) }
        #expect(!budget.takes(1, for: .key("last")))
        budget.charge(-1, to: .key("0"))
        #expect(budget.takes(1, for: .key("last")))
    }

    @Test func whoGivesAllBackIsForgotten() {
        var budget = BodyBudget(shareBytesMax: Self.share)
        budget.charge(5, to: .key("a"))
        budget.charge(7, to: .nobody)
        #expect(budget.bytes == 12 && budget.ownerCount == 2)
        budget.charge(-5, to: .key("a"))
        #expect(budget.bytes == 7 && budget.ownerCount == 1)
    }
}
