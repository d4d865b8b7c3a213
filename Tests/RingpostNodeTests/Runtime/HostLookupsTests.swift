// Names of hosts are looked up elsewhere, and the answer comes to the event loop, unless that ends first.

import Dispatch
import Glibc
import NIOCore
import NIOPosix
import Synchronization
import TestSupport
import Testing

@testable import RingpostNode

@Suite struct HostLookupsTests {
    private static func find(_ host: String, on eventLoop: any EventLoop, _ gate: LoopGate) async throws -> [String] {
        let promise = eventLoop.makePromise(of: [String].self)
        eventLoop.execute {
            HostLookups().find(ListenAddress(host: host, port: 8_082), on: eventLoop, gate) { addresses in
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

    /// Names that nobody answers hold so many threads and no more, whoever asks for them how often.
    @Test func soManyNamesAreLookedUpAtATimeEachOnce() async throws {
        let threads = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        let gate = LoopGate()
        let begun = Mutex<[String]>([])
        let release = DispatchSemaphore(value: 0)
        let lookups = HostLookups { target in
            begun.withLock { $0.append(target.host) }
            release.wait()
            return target.host == "host-0" ? [] : [SocketAddress(sockaddr_in(), host: target.host)]
        }
        let names = (0..<3 * HostLookups.threadsMax).map { "host-\($0)" }
        let answers = Mutex<[String: [String]]>([:])
        for name in names {
            for eventLoop in [threads.next(), threads.next(), threads.next()] {
                eventLoop.execute {
                    lookups.find(ListenAddress(host: name, port: 1), on: eventLoop, gate) { addresses in
                        eventLoop.preconditionInEventLoop()
                        answers.withLock { $0[name, default: []].append(addresses.first.map(\.hostText) ?? "") }
                    }
                }
            }
        }
        try await eventually(within: 60, "all threads are busy") { begun.withLock { $0.count >= HostLookups.threadsMax } }
        // All have asked by now.
        for eventLoop in threads.makeIterator() { try await eventLoop.submit {}.get() }
        release.signal()
        try await eventually(within: 60, "the next one begins") { begun.withLock { $0.count > HostLookups.threadsMax } }
        #expect(begun.withLock { $0.count } == HostLookups.threadsMax + 1)
        for _ in names { release.signal() }
        try await eventually(within: 60, "all are answered") {
            answers.withLock { $0.values.reduce(0) { $0 + $1.count } } == 3 * names.count
        }
        #expect(begun.withLock(\.self).sorted() == names.sorted(), "each once")
        #expect(answers.withLock { $0.allSatisfy { $1 == Array(repeating: $0 == "host-0" ? "" : $0, count: 3) } })
        await gate.close()
        try await threads.shutdownGracefully()
    }
}

extension SocketAddress {
    /// The name under which it was found.
    fileprivate var hostText: String { if case .v4(let address) = self { address.host } else { "" } }
}
