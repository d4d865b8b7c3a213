// Answers of nodes, read from a raw connection: status line, headers, and a body of the announced length.

import Foundation
import TestSupport

struct HTTPAnswer: Sendable {
    let status: Int
    /// Names in lower case.
    let headers: [String: String]
    let body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }

    func json<Value: Decodable>(_ type: Value.Type = Value.self) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(body))
        } catch {
            throw HarnessError("no \(type) in \(status) \(text): \(error)")
        }
    }

    /// An event stream that goes on.
    var isEndless: Bool { status == 200 && headers["content-type"] == "text/event-stream" && headers["content-length"] == nil }

    /// Why an event stream was put off: the stable code of its `close` event; empty if it was not.
    var putOffCode: String {
        struct Close: Decodable {
            struct Problem: Decodable {
                let code: String
                let message: String
            }
            let code: String
            let advice: String
            let after: Int
            let error: Problem
        }
        let lines = text.split(separator: "\n")
        guard status == 200, headers["content-type"] == "text/event-stream", lines.count == 3, lines[0].hasPrefix("retry: "),
            lines[1] == "event: close", lines[2].hasPrefix("data: "),
            let close = try? JSONDecoder().decode(Close.self, from: Data(lines[2].dropFirst(6).utf8)), close.code == "try_later",
            close.advice == "resume", lines[0].dropFirst(7) == "\(close.after)", !close.error.message.isEmpty
        else { return "" }
        return close.error.code
    }

    /// The stable code of an error's body; empty if it is none, or has no sentence.
    var errorCode: String {
        struct Problem: Decodable {
            struct Inner: Decodable {
                let code: String
                let message: String
            }
            let error: Inner
        }
        guard headers["content-type"] == "application/json", let problem = try? json(Problem.self) else { return "" }
        return problem.error.message.isEmpty ? "" : problem.error.code
    }
}

extension RawConnection {
    /// Reads one answer.
    func answer(seconds: Double = 20, isToHead: Bool = false) async throws -> HTTPAnswer {
        let separator = Array("\r\n\r\n".utf8)
        try await receive("the head of an answer", seconds: seconds) { $0.contains(separator) }
        guard let end = received.firstRange(of: separator)?.upperBound else { throw HarnessError("no head") }
        let lines = String(decoding: take(end), as: UTF8.self).components(separatedBy: "\r\n")
        guard let status = lines[0].split(separator: " ").dropFirst().first.flatMap({ Int($0) }) else {
            throw HarnessError("no status line: \(lines[0])")
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() where !line.isEmpty {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { throw HarnessError("no header: \(line)") }
            headers[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
        }
        let length = isToHead ? 0 : headers["content-length"].flatMap { Int($0) } ?? 0
        try await receive("a body of \(length) bytes", seconds: seconds) { $0.count >= length }
        return HTTPAnswer(status: status, headers: headers, body: take(length))
    }

    /// One request and its answer on a connection of its own.
    static func exchange(
        port: Int, _ method: String, _ path: String, headers: [String: String] = [:], body: [UInt8]? = nil, seconds: Double = 20
    ) async throws -> HTTPAnswer {
        let connection = try RawConnection(port: port)
        try await connection.send(request(method, path, headers: headers.merging(["Connection": "close"]) { $1 }, body: body))
        return try await connection.answer(seconds: seconds, isToHead: method == "HEAD")
    }

    static func request(_ method: String, _ path: String, headers: [String: String] = [:], body: [UInt8]? = nil) -> [UInt8] {
        var lines = ["\(method) \(path) HTTP/1.1", "Host: 127.0.0.1"] + headers.map { "\($0.key): \($0.value)" }
        if let body { lines.append("Content-Length: \(body.count)") }
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + (body ?? [])
    }
}

extension [UInt8] {
    func contains(_ other: [UInt8]) -> Bool { firstRange(of: other) != nil }
}
