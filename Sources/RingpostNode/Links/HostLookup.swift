// Looks names of hosts up, which may take long: past NIO's own way, which comes back to the event loop whether that is still there or not.
import Dispatch
import Glibc
import NIOCore
import NIOPosix

enum HostLookup {
    /// Hands over what the host's addresses are; none, where the name is unknown. At once where the host is an address already, and not at all
    /// when the node ends first.
    static func find(
        _ target: ListenAddress, on eventLoop: any EventLoop, _ gate: LoopGate, _ body: @escaping ([SocketAddress]) -> Void
    ) {
        if let address = try? SocketAddress(ipAddress: target.host, port: target.port) { return body([address]) }
        let waiting = NIOLoopBound(body, eventLoop: eventLoop)
        DispatchQueue.global().async {
            let addresses = find(target)
            gate.execute(on: eventLoop) { waiting.value(addresses) }
        }
    }

    /// Blocks.
    private static func find(_ target: ListenAddress) -> [SocketAddress] {
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
