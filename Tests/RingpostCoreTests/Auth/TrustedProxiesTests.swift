// Whom a request is counted for: nobody's word but that of proxies that are named, and theirs only where it is one word.

import Testing

@testable import RingpostCore

@Suite struct TrustedProxiesTests {
    private static let proxies = TrustedProxies(["10.0.0.0/8", "::1"].compactMap(AddressRange.init))

    private static func source(_ peer: String, _ chains: [String?]..., by proxies: TrustedProxies = proxies) -> SourceAddress? {
        proxies.source(peer: SourceAddress(peer), chains: chains)
    }

    @Test func aStrangersHeaderIsIgnored() {
        #expect(Self.source("203.0.113.7", ["198.51.100.1"]) == SourceAddress("203.0.113.7"))
        #expect(Self.source("203.0.113.7", ["garbage"]) == SourceAddress("203.0.113.7"))
        #expect(Self.source("10.0.0.1", ["198.51.100.1"], by: .nobody) == SourceAddress("10.0.0.1"), "nobody is trusted")
        #expect(Self.source("2001:db8::1", ["198.51.100.1"]) == SourceAddress("2001:db8::"))
        #expect(TrustedProxies.nobody.source(peer: nil, chains: [["1.1.1.1"]]) == nil)
    }

    /// It can do more harm than by coming often; what it says of others is not believed for that.
    @Test func thisMachineIsCountedOnlyAsAProxy() {
        for peer in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            #expect(Self.source(peer, by: .nobody) == nil)
            #expect(Self.source(peer, ["203.0.113.7"], by: .nobody) == nil, "\(peer)")
        }
        #expect(Self.source("::1", ["203.0.113.7"]) == SourceAddress("203.0.113.7"))
        #expect(Self.source("::1") == SourceAddress("::1")?.counted)
        #expect(Self.source("127.0.0.1", ["203.0.113.7"]) == nil)
    }

    @Test func aProxyIsBelieved() {
        #expect(Self.source("10.0.0.1", ["203.0.113.7"]) == SourceAddress("203.0.113.7"))
        #expect(Self.source("10.0.0.1", [" 203.0.113.7:4711 "]) == SourceAddress("203.0.113.7"))
        #expect(Self.source("10.0.0.1", ["[2001:db8::5]:4711"]) == SourceAddress("2001:db8::"))
        #expect(Self.source("::1", ["2001:db8::5"]) == SourceAddress("2001:db8::"))
    }

    @Test func whatAClientWritesInFrontOfItselfIsIgnored() {
        #expect(Self.source("10.0.0.1", ["198.51.100.1", "203.0.113.7"]) == SourceAddress("203.0.113.7"))
        #expect(Self.source("10.0.0.1", ["10.9.9.9", "203.0.113.7"]) == SourceAddress("203.0.113.7"))
        #expect(Self.source("10.0.0.1", ["garbage", nil, "203.0.113.7"]) == SourceAddress("203.0.113.7"))
    }

    @Test func aChainOfProxiesIsFollowed() {
        #expect(Self.source("10.0.0.1", ["203.0.113.7", "10.0.0.3", "10.0.0.2"]) == SourceAddress("203.0.113.7"))
        #expect(Self.source("10.0.0.1", ["198.51.100.1", "203.0.113.7", "10.0.0.2"]) == SourceAddress("203.0.113.7"))
        let long = ["203.0.113.7"] + Array(repeating: "10.0.0.2", count: TrustedProxies.hopsMax)
        #expect(Self.source("10.0.0.1", long) == SourceAddress("10.0.0.1"), "it is not followed for ever")
    }

    @Test func aProxyThatNamesNobodyIsCountedItself() {
        #expect(Self.source("10.0.0.1") == SourceAddress("10.0.0.1"))
        for chain in [[], [""], [" "], ["garbage"], ["unknown"], ["_hidden"], ["10.0.0.9"], ["203.0.113.7", "unknown"], [nil]]
            as [[String?]]
        {
            #expect(Self.source("10.0.0.1", chain) == SourceAddress("10.0.0.1"), "\(chain)")
        }
    }

    /// A proxy that sets one of them and hands the other one on would let a client choose.
    @Test func headersThatDifferNameNobody() {
        #expect(Self.source("10.0.0.1", ["203.0.113.7"], ["198.51.100.1", "203.0.113.7"]) == SourceAddress("203.0.113.7"))
        #expect(Self.source("10.0.0.1", ["198.51.100.1"], ["203.0.113.7"]) == SourceAddress("10.0.0.1"))
        #expect(Self.source("10.0.0.1", ["203.0.113.7"], [nil]) == SourceAddress("10.0.0.1"))
    }

    @Test func connectionsOfProxiesAndOfThisMachineAreNobodys() {
        #expect(Self.proxies.connectionSource(SourceAddress("203.0.113.7")) == SourceAddress("203.0.113.7"))
        #expect(Self.proxies.connectionSource(SourceAddress("2001:db8::5")) == SourceAddress("2001:db8::"))
        for peer in ["10.0.0.1", "::1", "127.0.0.1"] { #expect(Self.proxies.connectionSource(SourceAddress(peer)) == nil, "\(peer)") }
        #expect(Self.proxies.connectionSource(nil) == nil)
    }
}
