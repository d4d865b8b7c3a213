// Sockets by user and by address: what is too much, that all of it is given back, and that what is remembered has a bound.

import HashRing
import Testing

@testable import RingpostCore

@Suite struct SocketCensusTests {
    private static let alice = KeyHash(rawValue: 1)
    private static let bob = KeyHash(rawValue: 2)
    private static let here = SourceAddress("203.0.113.7")
    private static let there = SourceAddress("203.0.113.8")

    @Test func aUserHasItsBound() {
        var census = SocketCensus(perUser: 2, perAddress: 100, ratePerAddress: 1)
        #expect(census.open(user: Self.alice, address: Self.here) == nil)
        #expect(census.open(user: Self.alice, address: Self.there) == nil)
        #expect(census.open(user: Self.alice, address: Self.here) == .user)
        #expect(census.open(user: Self.bob, address: Self.here) == nil, "others have their own")
        #expect(census.open(user: nil, address: Self.here) == nil, "nor who has not said who it is")
        census.close(user: Self.alice, address: Self.there)
        #expect(census.open(user: Self.alice, address: Self.here) == nil)
        #expect(census.open(user: Self.alice, address: Self.here) == .user)
    }

    @Test func anAddressHasItsBound() {
        var census = SocketCensus(perUser: 100, perAddress: 2, ratePerAddress: 1)
        #expect(census.open(user: Self.alice, address: Self.here) == nil)
        #expect(census.open(user: Self.bob, address: Self.here) == nil)
        #expect(census.open(user: nil, address: Self.here) == .address)
        #expect(census.open(user: nil, address: Self.there) == nil)
        #expect(census.open(user: nil, address: nil) == nil)
        census.close(user: Self.bob, address: Self.here)
        #expect(census.open(user: nil, address: Self.here) == nil)
    }

    @Test func whatIsRefusedCountsNowhere() {
        var census = SocketCensus(perUser: 1, perAddress: 1, ratePerAddress: 1)
        #expect(census.open(user: Self.alice, address: Self.here) == nil)
        #expect(census.open(user: Self.bob, address: Self.here) == .address)
        #expect(census.open(user: Self.alice, address: Self.there) == .user)
        #expect(census.userCount == 1 && census.addressCount == 1)
        #expect(census.open(user: Self.bob, address: Self.there) == nil)
    }

    @Test func allIsGivenBack() {
        var census = SocketCensus(perUser: 9, perAddress: 9, ratePerAddress: 1)
        for _ in 0..<3 { #expect(census.open(user: Self.alice, address: Self.here) == nil) }
        #expect(census.userCount == 1 && census.addressCount == 1)
        for _ in 0..<3 { census.close(user: Self.alice, address: Self.here) }
        #expect(census.userCount == 0 && census.addressCount == 0)
        census.close(user: Self.alice, address: Self.here)
        #expect(census.userCount == 0 && census.addressCount == 0, "nothing is owed")
        for _ in 0..<9 { #expect(census.open(user: Self.alice, address: Self.here) == nil) }
        #expect(census.open(user: Self.alice, address: Self.here) == .user)
    }

    @Test func anAddressComesAsFastAsItMay() {
        var census = SocketCensus(perUser: 9, perAddress: 9, ratePerAddress: 2)
        let burst = Int(2 * SocketCensus.burstSeconds)
        for _ in 0..<burst { #expect(census.onHandshake(Self.here, now: 1_000) == true) }
        #expect(census.onHandshake(Self.here, now: 1_000) == false)
        #expect(census.onHandshake(Self.there, now: 1_000) == true, "another one is not held up")
        #expect(census.onHandshake(nil, now: 1_000) == true)
        #expect(census.onHandshake(Self.here, now: 1_499) == false)
        #expect(census.onHandshake(Self.here, now: 1_500) == true)
        #expect(census.onHandshake(Self.here, now: 1_500) == false)
    }

    @Test func addressesAreForgottenWhenTheyAreQuiet() {
        var census = SocketCensus(perUser: 9, perAddress: 9, ratePerAddress: 1)
        // All but one place are taken by who came once.
        for number in 1..<UInt64(SocketCensus.addressesMax) {
            #expect(census.onHandshake(SourceAddress(high: number << 16, low: 0), now: 0) == true)
        }
        for _ in 0..<Int(SocketCensus.burstSeconds) { #expect(census.onHandshake(Self.here, now: 0) == true) }
        #expect(census.onHandshake(Self.here, now: 0) == false)
        // There is no room for another one, and nobody is quiet: it is not slowed, and not remembered.
        for _ in 0..<100 { #expect(census.onHandshake(Self.there, now: 0) == true) }
        // Later most are quiet, but not the one that has taken everything.
        for _ in 0..<Int(SocketCensus.burstSeconds) { #expect(census.onHandshake(Self.there, now: 1_000) == true) }
        #expect(census.onHandshake(Self.there, now: 1_000) == false)
        #expect(census.onHandshake(Self.here, now: 1_000) == true)
        #expect(census.onHandshake(Self.here, now: 1_000) == false, "it has not been forgotten")
    }
}
