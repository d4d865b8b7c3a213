// What tests ask nodes: the API's answers as values.

import Foundation
import RingpostWire
import TestSupport

extension RingReport {
    func node(_ id: String) throws -> NodeReport {
        guard let node = nodes.first(where: { $0.id == id }) else { throw HarnessError("\(id) is not in \(nodes.map(\.id))") }
        return node
    }
}

struct Receipt: Decodable, Sendable {
    let user: String
    let seq: Int
    let epoch: UInt64
    let owner: String
    let outcome: String
    let mirrored: Bool
    /// Where there are three.
    let copies: Int?
    let id: String
    let repeated: Bool?
}

extension String {
    /// For a path or a query: everything but letters, digits and hyphens as %XX.
    var percentEncoded: String {
        utf8.map { byte in
            let character = Character(UnicodeScalar(byte))
            return byte < 0x80 && (character.isLetter || character.isNumber || character == "-")
                ? "\(character)" : String(format: "%%%02X", byte)
        }.joined()
    }
}

extension NodeProcess {
    /// The API port's answer; `nil` if nobody listens or the connection breaks.
    func get(_ path: String, seconds: Double = 20) async throws -> HTTPAnswer? {
        if let authority { return try? await Curl.get("https://127.0.0.1:\(api)\(path)", authority: authority, seconds: seconds) }
        do {
            return try await RawConnection.exchange(port: api, "GET", path, seconds: seconds)
        } catch is RefusedConnection {
            return nil
        } catch is HarnessError {
            return nil
        }
    }

    /// `nil` while there is none.
    func ring() async throws -> RingReport? {
        guard let answer = try await get("/v1/ring"), answer.status == 200 else { return nil }
        return try answer.json()
    }

    func locate(_ user: String) async throws -> LocateAnswer {
        try await RawConnection.exchange(port: client, "GET", "/v1/locate?user=\(user.percentEncoded)").json()
    }

    func user(_ user: String) async throws -> UserReport {
        try await RawConnection.exchange(port: api, "GET", "/v1/users/\(user.percentEncoded)").json()
    }

    /// Waits until so many sockets of this user are held by the cluster.
    func waitForSockets(_ count: Int, of user: String, seconds: Double = 20) async throws {
        var last = 0
        try await eventually(within: seconds, "\(count) sockets of \(user)") {
            last = try await self.user(user).sockets.count
            return last == count
        }
    }

    /// The answer to a publish, whatever it is.
    func post(_ text: String, to user: String, headers: [String: String] = ["Content-Type": "text/plain"]) async throws -> HTTPAnswer {
        try await RawConnection.exchange(
            port: api, "POST", "/v1/users/\(user.percentEncoded)/messages", headers: headers, body: Array(text.utf8))
    }

    /// The answer of the API port to a request with a JSON body.
    func post(_ json: String, toPath path: String) async throws -> HTTPAnswer {
        try await RawConnection.exchange(port: api, "POST", path, body: Array(json.utf8))
    }

    /// Publishes text; throws unless there is a receipt.
    @discardableResult
    func publish(_ text: String, to user: String, headers: [String: String] = [:]) async throws -> Receipt {
        try await post(text, to: user, headers: headers.merging(["Content-Type": "text/plain"]) { $1 }).json()
    }

    /// Publishes a batch of texts for one user; throws unless every line of the answer is a receipt.
    @discardableResult
    func publish(_ texts: [String], to user: String) async throws -> [Receipt] {
        let lines = try texts.map { text in
            String(decoding: try JSONSerialization.data(withJSONObject: ["user": user, "data": text]), as: UTF8.self)
        }
        let answer = try await RawConnection.exchange(port: api, "POST", "/v1/messages", body: Array(lines.joined(separator: "\n").utf8))
        return try answer.body.split(separator: UInt8(ascii: "\n")).map {
            try HTTPAnswer(status: answer.status, headers: [:], body: Array($0)).json()
        }
    }

    func poll(_ query: String, seconds: Double = 30) async throws -> Poll {
        let answer = try await RawConnection.exchange(port: client, "GET", "/v1/poll?\(query)", seconds: seconds)
        return try answer.json()
    }

    func metrics() async throws -> Metrics {
        guard let answer = try await get("/metrics") else { throw HarnessError("no metrics of \(id)") }
        return try Metrics(answer.text)
    }
}

/// The answer to a poll.
struct Poll: Decodable {
    let cursor: String
    let gap: Bool?
    let messages: [Message]
}
