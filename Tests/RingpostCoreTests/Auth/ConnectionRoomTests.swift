// Who gets a connection: clients leave room for operators, and one address leaves room for others.

import Testing

@testable import RingpostCore

@Suite struct ConnectionRoomTests {
    private static let here = SourceAddress("203.0.113.7")
    private static let there = SourceAddress("203.0.113.8")

    private static func site(_ network: UInt64) -> SourceAddress { SourceAddress(high: 0x2001_0DB8_0001_0000 | network, low: 0) }

    /// By reference: an expectation can't change a value.
    private final class Room {
        private var room: ConnectionRoom
        init(max: Int, perAddress: Int?) { room = ConnectionRoom(max: max, perAddress: perAddress) }
        var reserve: Int { room.reserve }
        var count: Int { room.count }
        func open(_ port: ConnectionRoom.Port, from source: SourceAddress?) -> (answer: ConnectionRoom.Answer, place: ConnectionRoom.Place?)
        {
            room.open(port, from: source)
        }
        func name(_ place: ConnectionRoom.Place, _ source: SourceAddress) -> ConnectionRoom.Place? { room.name(place, source) }
        func close(_ place: ConnectionRoom.Place) { room.close(place) }
    }

    /// Opens as many as are let in, up to so many.
    private static func fill(
        _ room: Room, _ port: ConnectionRoom.Port, from source: SourceAddress?, atMost count: Int = 10_000
    ) -> [ConnectionRoom.Place] {
        (0..<count).compactMap { _ in
            let opened = room.open(port, from: source)
            return opened.answer == .open ? opened.place : nil
        }
    }

    @Test func clientsLeaveAReserve() {
        let room = Room(max: 80, perAddress: nil)
        #expect(room.reserve == 10)
        let clients = Self.fill(room, .client, from: nil, atMost: 70)
        #expect(clients.count == 70)
        #expect(room.open(.client, from: nil).answer == .single)
        #expect(Self.fill(room, .api, from: nil, atMost: 10).count == 10)
        #expect(room.open(.api, from: nil).answer == .single)
        for _ in 1..<ConnectionRoom.singlesMax { #expect(room.open(.client, from: nil).answer == .single) }
        #expect(room.open(.client, from: nil).answer == .refused(.connections))
        #expect(room.open(.client, from: nil).place == nil)
        #expect(room.open(.api, from: nil).answer == .single, "each port has its own")
        room.close(clients[0])
        #expect(room.open(.client, from: nil).answer == .open)
    }

    /// What the API port has beyond its reserve, clients can't have.
    @Test func bothTogetherAreBounded() {
        let room = Room(max: 16, perAddress: nil)
        #expect(Self.fill(room, .api, from: nil, atMost: 12).count == 12)
        #expect(Self.fill(room, .client, from: nil, atMost: 4).count == 4)
        #expect(room.open(.api, from: nil).answer == .single)
        #expect(room.count == 17)
    }

    @Test func oneAddressDoesNotTakeAll() {
        let room = Room(max: 64, perAddress: nil)
        let places = Self.fill(room, .client, from: Self.here, atMost: 32)
        #expect(places.count == 32, "half of all")
        #expect(room.open(.api, from: Self.here).answer == .refused(.connectionsPerAddress), "both ports count together")
        #expect(room.open(.client, from: Self.there).answer == .open)
        room.close(places[0])
        #expect(room.open(.api, from: Self.here).answer == .open)
        #expect(room.open(.api, from: nil).answer == .open, "who is counted for nobody is not held up")
        let large = Room(max: 1_000_000, perAddress: nil)
        #expect(Self.fill(large, .client, from: Self.here).count == ConnectionRoom.perAddressDefault)
        let set = Room(max: 1_000_000, perAddress: 3)
        #expect(Self.fill(set, .client, from: Self.here).count == 3)
    }

    @Test func nobodyTakesAllWithASiteOfNetworks() {
        let room = Room(max: 100, perAddress: 10)
        var count = 0
        for network in 0..<200 { count += Self.fill(room, .client, from: Self.site(UInt64(network)), atMost: 1).count }
        #expect(count == 10 * AddressCounts.siteFactor)
        #expect(room.open(.client, from: SourceAddress(high: 0x2001_0DB8_0002_0000, low: 0)).answer == .open)
        let half = Room(max: 100, perAddress: nil)
        count = 0
        for network in 0..<200 { count += Self.fill(half, .client, from: Self.site(UInt64(network)), atMost: 1).count }
        #expect(count == 75, "three quarters")
    }

    @Test func aProxyNamesWhomAConnectionIsFor() throws {
        let room = Room(max: 64, perAddress: 2)
        let source = try #require(Self.here)
        for _ in 0..<2 {
            let place = try #require(room.open(.client, from: nil).place)
            let named = try #require(room.name(place, source))
            #expect(named.source == source)
            #expect(room.name(named, source) == named, "said twice it counts once")
        }
        let third = try #require(room.open(.client, from: nil).place)
        #expect(room.name(third, source) == nil)
        room.close(third)
        #expect(room.count == 2)
    }

    @Test func allIsGivenBack() {
        let room = Room(max: 16, perAddress: nil)
        var places: [ConnectionRoom.Place] = []
        for number in 0..<100 {
            if let place = room.open(number % 2 == 0 ? .client : .api, from: number % 3 == 0 ? Self.here : nil).place {
                places.append(place)
            }
        }
        #expect(places.count == 66 + 8, "all but what is too much of one address")
        for place in places { room.close(place) }
        #expect(room.count == 0)
        #expect(Self.fill(room, .client, from: Self.here, atMost: 9).count == 8)
    }
}
