// Loopback ports for servers under test. They are taken below the kernel's range of outgoing ports, not from a bind to port 0: a client
// that keeps trying a dead port *inside* that range is one day given that very port as its own, is then connected to itself, and the
// server that comes back finds its port taken.

import Foundation
import Synchronization

/// Hands out TCP ports that nobody on this machine uses, each at most once in this process.
public enum FreePorts {
    /// The lowest port handed out.
    static let lowest = 10_000
    /// How many ports are tried for each one asked for.
    static let attemptsMax = 200

    private static let handedOut = Mutex<Set<Int>>([])

    /// `count` different ports, free on 127.0.0.1 at this moment.
    ///
    /// All of them are held open at once and then closed, so there is a gap until the server binds its own; ports are drawn at random, so
    /// that test processes running at the same time hardly ever meet.
    /// - Throws: `DeadlineExceeded` when too many ports are taken.
    public static func take(_ count: Int) throws -> [Int] {
        try handedOut.withLock { handedOut in
            var sockets: [Int32] = []
            defer { for socket in sockets { close(socket) } }
            var ports: [Int] = []
            for _ in 0..<count * attemptsMax where ports.count < count {
                let port = Int.random(in: lowest..<firstOutgoingPort)
                guard !handedOut.contains(port), let socket = bound(port) else { continue }
                sockets.append(socket)
                ports.append(port)
                handedOut.insert(port)
            }
            guard ports.count == count else {
                throw DeadlineExceeded("No \(count) free ports between \(lowest) and \(firstOutgoingPort) on 127.0.0.1.")
            }
            return ports
        }
    }

    /// The first of `count` free ports in a row, a multiple of ten.
    ///
    /// - Throws: `DeadlineExceeded` when no such row is found.
    public static func takeRow(_ count: Int) throws -> Int {
        try handedOut.withLock { handedOut in
            for _ in 0..<attemptsMax {
                let base = Int.random(in: lowest / 10..<(firstOutgoingPort - count) / 10) * 10
                let row = base..<base + count
                if !handedOut.isDisjoint(with: row) { continue }
                let sockets = row.compactMap { bound($0) }
                for socket in sockets { close(socket) }
                guard sockets.count == count else { continue }
                handedOut.formUnion(row)
                return base
            }
            throw DeadlineExceeded("No \(count) free ports in a row between \(lowest) and \(firstOutgoingPort) on 127.0.0.1.")
        }
    }

    /// Where the kernel's range of ports for outgoing connections begins.
    private static let firstOutgoingPort: Int = {
        let range = try? String(contentsOfFile: "/proc/sys/net/ipv4/ip_local_port_range", encoding: .utf8)
        let first = range?.split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) } ?? 32_768
        // A machine that gives nearly all ports away leaves no safe ones; then the usual range is as good as any.
        return first > lowest + 1_000 ? first : 32_768
    }()

    private static func bound(_ port: Int) -> Int32? {
        let socket = LoopbackSocket.open()
        guard socket >= 0 else { return nil }
        let result = LoopbackSocket.withAddress(port: port) { bind(socket, $0, $1) }
        guard result == 0 else {
            close(socket)
            return nil
        }
        return socket
    }
}
