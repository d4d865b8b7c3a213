// Looks names of hosts up, which may take long: past NIO's own way, which comes back to the event loop whether that is still there or not. A
// look-up blocks its thread, so the threads are its own, and few: those of Dispatch serve others too.
import DequeModule
import Dispatch
import Glibc
import NIOCore
import NIOPosix
import Synchronization

package final class HostLookups: Sendable {
    /// Names that are looked up at a time, each on a thread; more wait for their turn.
    static let threadsMax = 4
    /// Whoever waits for an answer; one more is told at once that its name is unknown, and asks again later. A link waits for one at a time.
    static let askersMax = 65_536

    fileprivate struct Asker: Sendable {
        let eventLoop: any EventLoop
        let gate: LoopGate
        let body: NIOLoopBound<([SocketAddress]) -> Void>
    }

    fileprivate struct State {
        /// By what they ask for; who asks for what is being looked up gets the same answer.
        var askers: [ListenAddress: [Asker]] = [:]
        var askerCount = 0
        /// What no thread has begun with.
        var waiting: Deque<ListenAddress> = []
        var threads = 0
    }

    private let state = Mutex(State())
    private let look: @Sendable (ListenAddress) -> [SocketAddress]

    /// - Parameter look: finds what a host's addresses are; blocks.
    package init(_ look: @escaping @Sendable (ListenAddress) -> [SocketAddress] = HostLookups.addresses) { self.look = look }

    /// Hands over what the host's addresses are; none, where the name is unknown. At once where the host is an address already, and not at all
    /// when the node ends first. To be called on the event loop.
    func find(
        _ target: ListenAddress, on eventLoop: any EventLoop, _ gate: LoopGate, _ body: @escaping ([SocketAddress]) -> Void
    ) {
        if let address = try? SocketAddress(ipAddress: target.host, port: target.port) { return body([address]) }
        let asker = Asker(eventLoop: eventLoop, gate: gate, body: NIOLoopBound(body, eventLoop: eventLoop))
        guard let begins = state.withLock({ $0.append(asker, target) }) else { return body([]) }
        // A queue of its own for each, because a serial one has a thread that no other queue waits for.
        if begins { DispatchQueue(label: "look-up").async { self.work() } }
    }

    private func work() {
        while let target = state.withLock({ $0.next() }) {
            let addresses = look(target)
            for asker in state.withLock({ $0.removeAskers(target) }) {
                asker.gate.execute(on: asker.eventLoop) { asker.body.value(addresses) }
            }
        }
    }

    /// Blocks.
    @Sendable package static func addresses(_ target: ListenAddress) -> [SocketAddress] {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(target.host, "\(target.port)", &hints, &first) == 0 else { return [] }
        defer { freeaddrinfo(first) }
        return sequence(first: first) { $0?.pointee.ai_next }.prefix { $0 != nil }.compactMap { entry in
            guard let entry = entry?.pointee, let address = entry.ai_addr else { return nil }
            switch entry.ai_family {
            case AF_INET: return address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { SocketAddress($0.pointee) }
            case AF_INET6: return address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { SocketAddress($0.pointee) }
            default: return nil
            }
        }
    }
}

extension HostLookups.State {
    /// - Returns: whether another thread begins; `nil` where too many wait.
    fileprivate mutating func append(_ asker: HostLookups.Asker, _ target: ListenAddress) -> Bool? {
        guard askerCount < HostLookups.askersMax else { return nil }
        askerCount += 1
        let isAsked = askers[target] != nil
        askers[target, default: []].append(asker)
        if isAsked { return false }
        waiting.append(target)
        if threads >= HostLookups.threadsMax { return false }
        threads += 1
        return true
    }

    /// What a thread goes on with; `nil` where it ends.
    fileprivate mutating func next() -> ListenAddress? {
        let next = waiting.popFirst()
        if next == nil { threads -= 1 }
        return next
    }

    fileprivate mutating func removeAskers(_ target: ListenAddress) -> [HostLookups.Asker] {
        let done = askers.removeValue(forKey: target) ?? []
        askerCount -= done.count
        return done
    }
}

extension ClientBootstrap {
    /// Connects to one of these; tried one after the other, IPv6 first.
    func connect(to addresses: [SocketAddress], of target: ListenAddress, on eventLoop: any EventLoop) -> EventLoopFuture<any Channel> {
        if addresses.count == 1 { return connect(to: addresses[0]) }
        return resolver(KnownAddresses(addresses: addresses, eventLoop: eventLoop)).connect(host: target.host, port: target.port)
    }
}

/// What NIO asks for addresses, where they have been looked up.
private struct KnownAddresses: Resolver, Sendable {
    let addresses: [SocketAddress]
    let eventLoop: any EventLoop

    func initiateAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> { known(.inet) }
    func initiateAAAAQuery(host: String, port: Int) -> EventLoopFuture<[SocketAddress]> { known(.inet6) }
    func cancelQueries() {}

    private func known(_ family: NIOBSDSocket.ProtocolFamily) -> EventLoopFuture<[SocketAddress]> {
        eventLoop.makeSucceededFuture(addresses.filter { $0.protocol == family })
    }
}
