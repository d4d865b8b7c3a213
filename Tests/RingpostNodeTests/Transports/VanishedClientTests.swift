// Clients that vanish without a word: their machine answers nothing, not even the kernel's questions. A whole node with real sockets, because
// it is its kernel that notices.

import Foundation
import Logging
import TestSupport
import Testing

@testable import RingpostNode

@Suite(.timeLimit(.minutes(1))) struct VanishedClientTests {
    /// A node for as long as the body takes.
    private static func withNode(_ body: (NodeConfiguration) async throws -> Void) async throws {
        let ports = try FreePorts.take(3)
        var configuration = NodeConfiguration(id: "n1")
        configuration.client = ListenAddress(host: "127.0.0.1", port: ports[0])
        configuration.api = ListenAddress(host: "127.0.0.1", port: ports[1])
        configuration.link = ListenAddress(host: "127.0.0.1", port: ports[2])
        configuration.shards = 1
        configuration.drainMilliseconds = 0
        configuration.limits.vanishedMilliseconds = 1_000
        let node = Node(configuration, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let running = Task { try await node.run() }
        defer { running.cancel() }
        try await eventually(within: 20, "the node is ready") {
            try await OneRequest.get("/readyz", port: ports[1])?.hasPrefix("HTTP/1.1 200 ") == true
        }
        try await body(configuration)
        running.cancel()
        try await running.value
    }

    private static func open(_ transport: String, on port: Int) async throws -> Int {
        let metrics = try await OneRequest.get("/metrics", port: port) ?? ""
        let line = metrics.split(separator: "\n").first { $0.hasPrefix("ringpost_sockets{transport=\"\(transport)\"} ") }
        return line.flatMap { $0.split(separator: " ").last }.flatMap { Int($0) } ?? -1
    }

    @Test(arguments: [
        ("sse", "/v1/sse?user=alice", "", true), ("poll", "/v1/poll?user=alice&wait=60", "", false),
        (
            "ws", "/v1/ws?user=alice",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
            true
        ),
    ])
    func whoVanishesIsGoneInTime(transport: String, path: String, headers: String, isWrittenTo: Bool) async throws {
        try await Self.withNode { node in
            let (client, api) = (node.client.port, node.api.port)
            let vanishing = try OneRequest("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n\(headers)\r\n", port: client)
            let staying = try OneRequest("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\n\(headers)\r\n", port: client)
            defer { staying.close() }
            try await eventually(within: 20, "both are there") { try await Self.open(transport, on: api) == 2 }
            try vanishing.vanish()
            if isWrittenTo {
                let message = "POST /v1/users/alice/messages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2\r\n\r\nhi"
                let publish = try OneRequest(message, port: api)
                defer { publish.close() }
                try await eventually(within: 20, "a receipt") { publish.received.hasPrefix("HTTP/1.1 200 ") }
            }
            // The kernel of the other one answers, though the client itself says nothing.
            try await eventually(within: 20, "one is gone") { try await Self.open(transport, on: api) == 1 }
            vanishing.close()
        }
    }
}

/// A request on a connection of its own, by bytes.
private final class OneRequest {
    private let socket: Int32
    private var bytes: [UInt8] = []

    init(_ text: String, port: Int) throws {
        socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(INADDR_LOOPBACK).bigEndian
        let result = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
        guard result == 0, send(socket, text, text.utf8.count, Int32(MSG_NOSIGNAL)) == text.utf8.count else {
            close()
            throw NodeError("nobody listens on \(port)")
        }
    }

    /// The answer of a connection that ends with it; `nil` where nobody listens.
    static func get(_ path: String, port: Int) async throws -> String? {
        guard let request = try? OneRequest("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", port: port) else {
            return nil
        }
        defer { request.close() }
        try await eventually(within: 10, "an answer to \(path)", pollMilliseconds: 2) {
            request.read()
            return request.hasEnded
        }
        return request.received
    }

    private(set) var hasEnded = false

    var received: String {
        read()
        return String(decoding: bytes, as: UTF8.self)
    }

    private func read() {
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while !hasEnded {
            let count = recv(socket, &chunk, chunk.count, Int32(MSG_DONTWAIT))
            if count > 0 { bytes += chunk[..<count] } else if count == 0 || errno != EAGAIN { hasEnded = true } else { return }
        }
    }

    /// From now on whatever comes for this socket is dropped before it is looked at: nothing is acknowledged, nothing answered.
    func vanish() throws {
        // struct sock_filter and struct sock_fprog of linux/filter.h, which Glibc's module does not have; the program drops everything.
        var drop: (code: UInt16, jumpTrue: UInt8, jumpFalse: UInt8, value: UInt32) = (0x06, 0, 0, 0)
        let result = withUnsafeMutablePointer(to: &drop) { drop in
            var program: (count: UInt16, filter: UnsafeMutableRawPointer) = (1, UnsafeMutableRawPointer(drop))
            return setsockopt(socket, SOL_SOCKET, SO_ATTACH_FILTER, &program, 16)
        }
        if result != 0 { throw NodeError("no filter: \(String(cString: strerror(errno)))") }
    }

    func close() { Foundation.close(socket) }
}
