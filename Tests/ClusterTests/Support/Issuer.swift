// Who makes tokens: a secret that nodes know too, in a folder that goes with its owner.

import Crypto
import Foundation
import TestSupport

struct Issuer: Sendable {
    private let folder: TemporaryFolder
    private let secret: SymmetricKey

    /// Of a node that believes it.
    var options: [String] { ["--token-keys", folder.file("issuer.hs256")] }

    init() throws {
        folder = try TemporaryFolder("issuer")
        let text = (0..<32).map { _ in String(UInt8.random(in: 0x61...0x7A), radix: 16) }.joined()
        secret = SymmetricKey(data: Data(text.utf8))
        try folder.write(text, to: "issuer.hs256")
    }

    static var nowSeconds: Int { Int(Date().timeIntervalSince1970) }

    /// - Parameters:
    ///   - claims: more of them, as JSON members.
    ///   - issuedAt: now unless given.
    func token(_ user: String, seconds: Int = 300, _ claims: String = "", issuedAt: Int? = nil) throws -> String {
        let now = Self.nowSeconds
        let members = #""sub":"\#(user)","exp":\#(now + seconds),"iat":\#(issuedAt ?? now)"# + (claims.isEmpty ? "" : ",\(claims)")
        let signed = [#"{"alg":"HS256","typ":"JWT"}"#, "{\(members)}"].map { Self.base64(Data($0.utf8)) }.joined(separator: ".")
        return signed + "." + Self.base64(Data(HMAC<SHA256>.authenticationCode(for: Data(signed.utf8), using: secret)))
    }

    private static func base64(_ data: Data) -> String {
        data.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}

/// A file of API keys, and the keys themselves.
struct KeyRing: Sendable {
    private let folder: TemporaryFolder

    var path: String { folder.file("keys.jsonl") }
    /// Of a node that asks for them.
    var options: [String] { ["--api-keys", path] }

    /// - Parameter keys: `"scopes":["read"],…` of keys that are called a, b, c…
    init(_ keys: [String]) throws {
        folder = try TemporaryFolder("keys")
        try write(keys)
    }

    func write(_ keys: [String]) throws {
        let lines = zip(Self.letters, keys).map { letter, members in
            let hash = SHA256.hash(data: Data(Self.secret(letter).utf8)).map { String(format: "%02x", $0) }.joined()
            return #"{"id":"\#(String(repeating: letter, count: 12))","hash":"sha256:\#(hash)",\#(members)}"#
        }
        try folder.write((["# of a test"] + lines).joined(separator: "\n") + "\n", to: "keys.jsonl")
    }

    static func text(_ letter: Character) -> String { "rp_\(String(repeating: letter, count: 12))_\(secret(letter))" }
    static func header(_ letter: Character) -> [String: String] { ["Authorization": "Bearer \(text(letter))"] }

    private static let letters: [Character] = Array("abcdefgh")
    private static func secret(_ letter: Character) -> String { String(repeating: "Secret\(letter)", count: 7).prefix(43) + "" }
}

extension RawWebSocket {
    /// Asks for one with this query and these headers; whether there is one, the answer says.
    static func open(
        _ node: NodeProcess, _ query: String, headers: [String: String] = [:]
    ) async throws -> (socket: RawWebSocket, answer: HTTPAnswer) {
        let connection = try RawConnection(port: node.client)
        try await connection.send(RawConnection.request("GET", "/v1/ws?\(query)", headers: upgrade.merging(headers) { $1 }))
        let answer = try await connection.answer()
        return (RawWebSocket(connection: connection), answer)
    }

    /// One whose token stands in the header.
    static func open(_ node: NodeProcess, token: String, _ query: String = "") async throws -> RawWebSocket {
        let (socket, answer) = try await open(node, query, headers: ["Authorization": "Bearer \(token)"])
        guard answer.status == 101 else { throw HarnessError("no WebSocket: \(answer.status) \(answer.text)") }
        return socket
    }

    func say(_ json: String) async throws { try await connection.send(Self.masked(0x81, Array(json.utf8))) }

    /// The next text frame that contains this; throws at a close.
    @discardableResult
    func hear(_ text: String, seconds: Double = 20) async throws -> String {
        while true {
            let frame = try await frame(seconds: seconds)
            if let close = frame.close { throw HarnessError("waited for \(text), and was closed with \(close)") }
            if frame.opcode == 1, frame.text.contains(text) { return frame.text }
        }
    }
}

extension NodeProcess {
    /// Asks the client port.
    func ask(_ path: String, token: String? = nil, headers: [String: String] = [:], seconds: Double = 20) async throws -> HTTPAnswer {
        let authorization = token.map { ["Authorization": "Bearer \($0)"] } ?? [:]
        return try await RawConnection.exchange(
            port: client, "GET", path, headers: headers.merging(authorization) { $1 }, seconds: seconds)
    }

    /// Asks the API port.
    func order(_ method: String, _ path: String, headers: [String: String] = [:], _ body: String? = nil) async throws -> HTTPAnswer {
        try await RawConnection.exchange(port: api, method, path, headers: headers, body: body.map { Array($0.utf8) })
    }

    /// Waits until a sample is what it should be.
    func wait(for sample: String, _ what: String = "as expected", seconds: Double = 20, until isRight: (Double) -> Bool) async throws {
        var last = 0.0
        do {
            try await eventually(within: seconds, "\(sample) of \(id) is \(what)") {
                last = try await self.metrics()[sample]
                return isRight(last)
            }
        } catch let error as DeadlineExceeded { throw DeadlineExceeded("\(error.description) It is \(last).") }
    }

    /// How often a limit was met.
    func limited(_ limit: String) async throws -> Double { try await metrics()[#"ringpost_limited_total{limit="\#(limit)"}"#] }
    func distrusted(_ reason: String) async throws -> Double { try await metrics()[#"ringpost_distrusted_total{reason="\#(reason)"}"#] }

    /// Nobody is there, and nobody is counted.
    func waitUntilDeserted() async throws {
        for gauge in ["ringpost_users", "ringpost_source_addresses"] { try await wait(for: gauge, "0") { $0 == 0 } }
        // The one that asks.
        try await wait(for: "ringpost_connections", "1") { $0 == 1 }
    }
}
