// Names of hosts are looked up elsewhere, and the answer comes to the event loop, unless that ends first.

import NIOCore
import NIOPosix
import Testing

@testable import RingpostNode

@Suite struct HostLookupTests {
    private static func find(_ host: String, on eventLoop: any EventLoop, _ gate: LoopGate) async throws -> [String] {
        let promise = eventLoop.makePromise(of: [String].self)
        eventLoop.execute {
            HostLookup.find(ListenAddress(host: host, port: 8_082), on: eventLoop, gate) { addresses in
                eventLoop.preconditionInEventLoop()
                promise.succeed(addresses.map { "\($0.ipAddress ?? "") \($0.port ?? 0)" })
            }
        }
        return try await promise.futureResult.get()
    }

    @Test func namesAreFoundAndAddressesTakenAsTheyAre() async throws {
        let threads = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let gate = LoopGate()
        #expect(try await Self.find("192.0.2.7", on: threads.next(), gate) == ["192.0.2.7 8082"])
        #expect(try await Self.find("::1", on: threads.next(), gate) == ["::1 8082"])
        let local = try await Self.find("localhost", on: threads.next(), gate)
        #expect(!local.isEmpty && local.allSatisfy { ["127.0.0.1 8082", "::1 8082"].contains($0) }, "\(local)")
        await gate.close()
        try await threads.shutdownGracefully()
    }
}
