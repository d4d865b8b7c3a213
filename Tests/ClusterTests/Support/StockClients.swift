// Clients that are not ours: Python's websockets, Node's EventSource, curl. Each writes what it is told to a file, line by line, and a
// test reads along.

import Foundation
import Synchronization
import TestSupport

/// One line of output a thing that happened: the number of the socket, a word, and the rest.
private struct ScriptedSocket: Listener {
    let name: String
    let process: ChildProcess
    let number: Int

    func events() throws -> [ClientEvent] {
        let output = process.output
        let prefix = "\(number) "
        return output.split(separator: "\n", omittingEmptySubsequences: false).dropLast().filter { $0.hasPrefix(prefix) }.map { line in
            let parts = line.dropFirst(prefix.count).split(separator: " ", maxSplits: 1)
            let rest = parts.count > 1 ? parts[1] : ""
            switch parts.first {
            case "open": return .open
            case "json": return ClientEvent(json: String(rest))
            case "closed": return .closed(String(rest))
            default: return .other(String(line.dropFirst(prefix.count)))
            }
        }
    }
}

/// Sockets of Python's `websockets` (Debian's python3-websockets) with its defaults, all in one process.
struct PythonWebSockets: Sendable {
    let process: ChildProcess
    let sockets: [any Listener]

    /// - Parameters:
    ///   - urls: `ws://…`, or `wss://…`
    ///   - authority: whom to believe for the latter, a file.
    init(_ urls: [String], authority: String? = nil) throws {
        var environment = ProcessInfo.processInfo.environment
        environment["SSL_CERT_FILE"] = authority
        let python = try ChildProcess("/usr/bin/python3", arguments: ["-u", "-c", Self.script] + urls, environment: environment)
        process = python
        sockets = urls.enumerated().map { ScriptedSocket(name: "websockets \($1)", process: python, number: $0) }
    }

    private static let script = """
        import asyncio, sys, websockets
        async def listen(number, url):
            def say(word, rest=""):
                print(number, word, rest)
            try:
                async with websockets.connect(url) as socket:
                    say("open")
                    try:
                        while True:
                            say("json", await socket.recv())
                    except websockets.exceptions.ConnectionClosed:
                        say("closed", "%s %s" % (socket.close_code, socket.close_reason))
            except Exception as error:
                say("error", repr(error))
        async def main():
            await asyncio.gather(*[listen(number, url) for number, url in enumerate(sys.argv[1:])])
        asyncio.run(main())
        """
}

/// Sockets of Node's `eventsource` (Debian's node-eventsource), which reconnects by itself as browsers do, all in one process.
struct NodeEventSources: Sendable {
    let process: ChildProcess
    let sockets: [any Listener]

    init(_ urls: [String]) throws {
        var environment = ProcessInfo.processInfo.environment
        environment["NODE_PATH"] = "/usr/share/nodejs"
        let node = try ChildProcess("node", arguments: ["-e", Self.script] + urls, environment: environment)
        process = node
        sockets = urls.enumerated().map { ScriptedSocket(name: "EventSource \($1)", process: node, number: $0) }
    }

    /// A message's cursor has to be the event's id as well: it is what the client sends when it reconnects.
    private static let script = """
        const EventSource = require('eventsource');
        process.argv.slice(1).forEach((url, number) => {
            const say = (word, rest) => console.log(number + ' ' + word + ' ' + (rest || ''));
            const source = new EventSource(url);
            const told = event => {
                // With channels an id has a cursor for each.
                if (!event.lastEventId.split('.').some(part => part.endsWith(JSON.parse(event.data).cursor))) say('wrong id', event.lastEventId);
                say('json', event.data);
            };
            source.onopen = () => say('open');
            source.onmessage = told;
            source.addEventListener('attached', told);
            source.addEventListener('gap', told);
            source.addEventListener('close', event => say('closed', event.data));
            source.onerror = event => say('error', event.message);
        });
        """
}

/// `curl -N` on an event stream, its output taken apart here.
struct CurlStream: Listener {
    let name: String
    let process: ChildProcess

    /// - Parameter headers: such as `Last-Event-ID: …`.
    init(_ url: String, headers: [String] = []) throws {
        name = "curl -N \(url)"
        process = try ChildProcess("curl", arguments: ["-sSN", "--include"] + headers.flatMap { ["-H", $0] } + [url])
    }

    /// Status line and headers, in lower case.
    func head() -> String { Self.split(process.output).head.lowercased() }
    /// The stream as it came.
    func stream() -> String { Self.split(process.output).stream }

    private static func split(_ output: String) -> (head: String, stream: String) {
        guard let end = output.firstRange(of: "\r\n\r\n") else { return ("", "") }
        return (String(output[..<end.lowerBound]), String(output[end.upperBound...]))
    }

    /// With channels an id has a cursor for each.
    private static func id(_ id: String?, holds cursor: String) -> Bool {
        id?.split(separator: ".").contains { $0 == cursor || $0.hasSuffix("-" + cursor) } ?? false
    }

    func events() throws -> [ClientEvent] {
        var events: [ClientEvent] = []
        let blocks = stream().components(separatedBy: "\n\n").dropLast()
        for block in blocks {
            var type = "message"
            var id: String?
            var data: [Substring] = []
            for line in block.split(separator: "\n") {
                if line.hasPrefix("event: ") { type = String(line.dropFirst(7)) }
                if line.hasPrefix("id: ") { id = String(line.dropFirst(4)) }
                if line.hasPrefix("data: ") { data.append(line.dropFirst(6)) }
            }
            if data.isEmpty { continue }
            if type == "close" {
                events.append(.closed(data.joined(separator: "\n")))
                continue
            }
            let event = ClientEvent(json: data.joined(separator: "\n"))
            switch event {
            case .message(let message) where Self.id(id, holds: message.cursor) && type == "message": events.append(event)
            case .attached(let cursor) where Self.id(id, holds: cursor) && type == "attached": events.append(event)
            case .gap(let cursor) where Self.id(id, holds: cursor) && type == "gap": events.append(event)
            default: events.append(.other(block))
            }
        }
        return events
    }
}

/// curl again and again, each time with the cursor of the last answer: a long poll, or with a wait of 0 plain polling.
final class CurlPoller: Listener {
    /// Between two plain polls.
    static let pauseMilliseconds = 50

    let name: String
    private let told = Mutex<Result<[ClientEvent], HarnessError>>(.success([]))
    private let task = Mutex<Task<Void, Never>?>(nil)

    /// - Parameter url: with the user, without cursor and wait.
    init(_ url: String, wait: Int, since: String? = nil) {
        name = "curl polls \(url) with wait=\(wait)"
        let looping = Task { [weak self] in
            var cursor = since
            while !Task.isCancelled {
                do {
                    // The first one only asks where to begin, so that it is attached once there is a cursor.
                    let namespace = cursor.map { "&since=\($0)&wait=\(wait)" } ?? "&wait=0"
                    let poll: Poll = try await Curl.json([url + namespace])
                    self?.take(poll, isFirst: cursor == nil)
                    cursor = poll.cursor
                    if wait == 0 { try await Task.sleep(for: .milliseconds(Self.pauseMilliseconds)) }
                } catch {
                    if !Task.isCancelled { self?.told.withLock { $0 = .failure(HarnessError("\(error)")) } }
                    return
                }
            }
        }
        task.withLock { $0 = looping }
    }

    /// Cancelled, the loop lets go of its curl, and that ends it.
    deinit { task.withLock { $0 }?.cancel() }

    func events() throws -> [ClientEvent] { try told.withLock { try $0.get() } }

    private func take(_ poll: Poll, isFirst: Bool) {
        let begins: [ClientEvent] = isFirst ? [.attached(cursor: poll.cursor)] : []
        let gap: [ClientEvent] = poll.gap == true ? [.gap(cursor: poll.cursor)] : []
        told.withLock { told in
            if case .success(let events) = told { told = .success(events + begins + gap + poll.messages.map { .message($0) }) }
        }
    }
}

enum Curl {
    /// Runs curl silently to its end; throws with its output unless its status is 0.
    static func run(_ arguments: [String], seconds: Double = 60) async throws -> String {
        let curl = try ChildProcess("curl", arguments: ["-sS"] + arguments)
        let status = try await curl.waitForExit(deadlineSeconds: seconds)
        guard status == 0 else { throw HarnessError("curl \(arguments) ended with \(status): \(curl.output)") }
        return curl.output
    }

    /// Over TLS.
    static func get(_ url: String, authority: String, seconds: Double) async throws -> HTTPAnswer {
        let output = try await run(["--cacert", authority, "--write-out", "\n%{http_code}", url], seconds: seconds)
        guard let end = output.lastIndex(of: "\n"), let status = Int(output[output.index(after: end)...]) else {
            throw HarnessError("no answer from \(url): \(output)")
        }
        return HTTPAnswer(status: status, headers: [:], body: Array(output[..<end].utf8))
    }

    static func json<Value: Decodable>(_ arguments: [String], seconds: Double = 60) async throws -> Value {
        let output = try await run(arguments, seconds: seconds)
        do {
            return try JSONDecoder().decode(Value.self, from: Data(output.utf8))
        } catch {
            throw HarnessError("curl \(arguments) brought no \(Value.self) but \(output): \(error)")
        }
    }
}

extension NodeProcess {
    var clientURL: String { "http://127.0.0.1:\(client)" }
    var apiURL: String { "http://127.0.0.1:\(api)" }

    func webSocketURL(_ user: String, since: String? = nil) -> String { "ws://127.0.0.1:\(client)/v1/ws\(Self.query(user, since))" }
    func eventStreamURL(_ user: String, since: String? = nil) -> String { "\(clientURL)/v1/sse\(Self.query(user, since))" }
    func pollURL(_ user: String) -> String { "\(clientURL)/v1/poll\(Self.query(user, nil))" }
    func messagesURL(_ user: String) -> String { "\(apiURL)/v1/users/\(user.percentEncoded)/messages" }

    private static func query(_ user: String, _ since: String?) -> String {
        "?user=\(user.percentEncoded)" + (since.map { "&since=\($0)" } ?? "")
    }

    /// A WebSocket of Python's, attached.
    func webSocket(_ user: String, since: String? = nil) async throws -> any Listener {
        let socket = try PythonWebSockets([webSocketURL(user, since: since)]).sockets[0]
        try await socket.wait("a first word") { $0.count > 1 }
        return socket
    }
}
