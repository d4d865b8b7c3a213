// Sockets by user and by address: what is too much, that all of it is given back, and that what is remembered has a bound.

import HashRing
import Testing

@testable import RingpostCore

@Suite struct ConnectionQuotasTests {
    private static let alice = KeyHash(rawValue: 1)
    private static let bob = KeyHash(rawValue: 2)
    private static let here = SourceAddress("203.0.113.7")
    private static let there = SourceAddress("203.0.113.8")

    @Test func aUserHasItsBound() {
        var quotas = ConnectionQuotas(perUser: 2, perAddress: 100, ratePerAddress: 1)
        #expect(quotas.open(user: Self.alice, address: Self.here) == nil)
        #expect(quotas.open(user: Self.alice, address: Self.there) == nil)
        #expect(quotas.open(user: Self.alice, address: Self.here) == .user)
        #expect(quotas.open(user: Self.bob, address: Self.here) == nil, "others have their own")
        #expect(quotas.open(user: nil, address: Self.here) == nil, "nor who has not said who it is")
        quotas.close(user: Self.alice, address: Self.there)
        #expect(quotas.open(user: Self.alice, address: Self.here) == nil)
        #expect(quotas.open(user: Self.alice, address: Self.here) == .user)
    }

    @Test func anAddressHasItsBound() {
        var quotas = ConnectionQuotas(perUser: 100, perAddress: 2, ratePerAddress: 1)
        #expect(quotas.open(user: Self.alice, address: Self.here) == nil)
        #expect(quotas.open(user: Self.bob, address: Self.here) == nil)
        #expect(quotas.open(user: nil, address: Self.here) == .address)
        #expect(quotas.open(user: nil, address: Self.there) == nil)
        #expect(quotas.open(user: nil, address: nil) == nil)
        quotas.close(user: Self.bob, address: Self.here)
        #expect(quotas.open(user: nil, address: Self.here) == nil)
    }

    @Test func whatIsRefusedCountsNowhere() {
        var quotas = ConnectionQuotas(perUser: 1, perAddress: 1, ratePerAddress: 1)
        #expect(quotas.open(user: Self.alice, address: Self.here) == nil)
        #expect(quotas.open(user: Self.bob, address: Self.here) == .address)
        #expect(quotas.open(user: Self.alice, address: Self.there) == .user)
        #expect(quotas.userCount == 1 && quotas.addressCount == 1)
        #expect(quotas.open(user: Self.bob, address: Self.there) == nil)
    }

    @Test func allIsGivenBack() {
        var quotas = ConnectionQuotas(perUser: 9, perAddress: 9, ratePerAddress: 1)
        for _ in 0..<3 { #expect(quotas.open(user: Self.alice, address: Self.here) == nil) }
        #expect(quotas.userCount == 1 && quotas.addressCount == 1)
        for _ in 0..<3 { quotas.close(user: Self.alice, address: Self.here) }
        #expect(quotas.userCount == 0 && quotas.addressCount == 0)
        quotas.close(user: Self.alice, address: Self.here)
        #expect(quotas.userCount == 0 && quotas.addressCount == 0, "nothing is owed")
        for _ in 0..<9 { #expect(quotas.open(user: Self.alice, address: Self.here) == nil) }
        #expect(quotas.open(user: Self.alice, address: Self.here) == .user)
    }

    @Test func anAddressComesAsFastAsItMay() {
        var quotas = ConnectionQuotas(perUser: 9, perAddress: 9, ratePerAddress: 2)
        let burst = Int(2 * ConnectionQuotas.burstSeconds)
        for _ in 0..<burst { #expect(quotas.onHandshake(Self.here, now: 1_000) == true) }
        #expect(quotas.onHandshake(Self.here, now: 1_000) == false)
        #expect(quotas.onHandshake(Self.there, now: 1_000) == true, "another one is not held up")
        #expect(quotas.onHandshake(nil, now: 1_000) == true)
        #expect(quotas.onHandshake(Self.here, now: 1_499) == false)
        #expect(quotas.onHandshake(Self.here, now: 1_500) == true)
        #expect(quotas.onHandshake(Self.here, now: 1_500) == false)
    }

    /// Who has a /48 has more networks than addresses are remembered.
    @Test func aSiteHasABudgetAboveThatOfItsNetworks() {
        var quotas = ConnectionQuotas(perUser: 9, perAddress: 2, ratePerAddress: 1)
        let burst = Int(ConnectionQuotas.burstSeconds) * AddressCounts.siteFactor
        var (handshakes, sockets) = (0, 0)
        for network in 0..<UInt64(ConnectionQuotas.addressesMax) + 10 {
            let address = SourceAddress(high: 0x2001_0DB8_0001_0000 | network & 0xFFFF, low: 0)
            if quotas.onHandshake(address, now: 0) { handshakes += 1 }
            if quotas.open(user: nil, address: address) == nil { sockets += 1 }
        }
        #expect(handshakes == burst)
        #expect(sockets == 2 * AddressCounts.siteFactor)
        let neighbour = SourceAddress(high: 0x2001_0DB8_0002_0000, low: 0)
        #expect(quotas.onHandshake(neighbour, now: 0) == true)
        #expect(quotas.open(user: nil, address: neighbour) == nil)
        for _ in 0..<Int(ConnectionQuotas.burstSeconds) { #expect(quotas.onHandshake(Self.here, now: 0) == true) }
        #expect(quotas.onHandshake(Self.here, now: 0) == false, "there is still room to remember others")
        for network in 0..<UInt64(8) { quotas.close(user: nil, address: SourceAddress(high: 0x2001_0DB8_0001_0000 | network, low: 0)) }
        #expect(quotas.open(user: nil, address: SourceAddress(high: 0x2001_0DB8_0001_9999, low: 0)) == nil)
    }

    @Test func addressesAreForgottenWhenTheyAreQuiet() {
        var quotas = ConnectionQuotas(perUser: 9, perAddress: 9, ratePerAddress: 1)
        // All but one place are taken by who came once.
        for number in 1..<UInt64(ConnectionQuotas.addressesMax) {
            #expect(quotas.onHandshake(SourceAddress(high: number << 16, low: 0), now: 0) == true)
        }
        for _ in 0..<Int(ConnectionQuotas.burstSeconds) { #expect(quotas.onHandshake(Self.here, now: 0) == true) }
        #expect(quotas.onHandshake(Self.here, now: 0) == false)
        // There is no room for another one, and nobody is quiet: it is not slowed, and not remembered.
        for _ in 0..<100 { #expect(quotas.onHandshake(Self.there, now: 0) == true) }
        // Later most are quiet, but not the one that has taken everything.
        for _ in 0..<Int(ConnectionQuotas.burstSeconds) { #expect(quotas.onHandshake(Self.there, now: 1_000) == true) }
        #expect(quotas.onHandshake(Self.there, now: 1_000) == false)
        #expect(quotas.onHandshake(Self.here, now: 1_000) == true)
        #expect(quotas.onHandshake(Self.here, now: 1_000) == false, "it has not been forgotten")
    }
}
