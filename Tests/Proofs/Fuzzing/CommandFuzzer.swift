// What clients write on their WebSockets.
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

enum CommandFuzzer {
    static let words = [
        "{\"subscribe\":[", "{\"unsubscribe\":[", "{\"publish\":{", "\"channel\":\"", "\"since\":\"", "\"presence\":true", "\"user\":\"",
        "\"data\":",
        "\"idempotencyKey\":\"", "\"ttl\":", "\"ref\":", "{\"token\":\"", "\"earliest\"", "]}", "}}", "\\u0061", "\\ud800", "null",
        "2592001", "👋", ",",
    ]
    static let payloadBytesMax = 64
    static let hasher: KeyHasher = {
        guard let seed = SipKey(bytes: Array("sixteen bytes...".utf8)) else { preconditionFailure("a seed of sixteen bytes") }
        return KeyHasher(seed: seed)
    }()

    static func check(_ input: UnsafeRawBufferPointer) {
        do throws(ProblemReport) {
            let command = try ClientCommand(ByteBuffer(bytes: input), hasher: hasher, payloadBytesMax: payloadBytesMax)
            demand(JSONText.isValid(input), "a command that is no JSON")
            check(command)
        } catch {
            check(error)
        }
    }

    private static func check(_ command: ClientCommand) {
        switch command {
        case .subscribe(let wishes):
            let again = text("{\"subscribe\":[", wishes.map(json))
            guard case .subscribe(wishes)? = read(again + "]}") else { return demand(false, "\(wishes) is something else again") }
        case .unsubscribe(let names):
            let again = text("{\"unsubscribe\":[", names.map(quoted))
            guard case .unsubscribe(names)? = read(again + "]}") else { return demand(false, "\(names) is something else again") }
        case .publish(let result, let reference):
            if let reference {
                demand(
                    reference.count <= ClientCommand.referenceBytesMax && JSONText.isValid(reference),
                    "a reference of \(reference.count) bytes")
            }
            switch result {
            case .success(let request): check(request)
            case .failure(let report): check(report)
            }
        case .token(let token):
            demand((1...ClientCommand.tokenBytesMax).contains(token.utf8.count), "a token of \(token.utf8.count) bytes")
            guard case .token(token)? = read("{\"token\":\(quoted(token))}") else {
                return demand(false, "a token is something else again")
            }
        }
    }

    static func check(_ report: ProblemReport) {
        demand((400..<500).contains(report.problem.status) && !report.message.isEmpty, "\(report) is nobody's fault")
        demand(report.message.utf8.count <= 512, "a sentence of \(report.message.utf8.count) bytes")
    }

    /// What is published is valid, within its bounds, and the same when it is written in the plainest way.
    static func check(_ request: PublishRequest) {
        demand(JSONText.isValid(request.data) && !request.data.contains { $0 < 0x20 }, "data that fits no line")
        demand(request.data.count <= payloadBytesMax, "data of \(request.data.count) bytes")
        demand(request.timeToLive ?? 0 <= Publish.timeToLiveSecondsMax, "a time to live of \(request.timeToLive ?? 0) s")
        demand(UTF8Check.isValid(request.key.name) && UTF8Check.isValid(request.idempotencyKey), "a name that is no text")
        demand(
            (1...(request.key.kind == .user ? Key.userBytesMax : Key.channelBytesMax)).contains(request.key.name.count), "a name's length")
        var line = request.key.kind == .user ? "{\"user\":" : "{\"channel\":"
        line += quoted(request.key.text) + ",\"data\":" + String(decoding: request.data, as: UTF8.self)
        if !request.idempotencyKey.isEmpty {
            line += ",\"idempotencyKey\":" + quoted(String(decoding: request.idempotencyKey, as: UTF8.self))
        }
        if let seconds = request.timeToLive { line += ",\"ttl\":\(seconds)" }
        let again = try? BatchLine(Array((line + "}").utf8), hasher: hasher, payloadBytesMax: payloadBytesMax)
        demand(again?.request == request, "\(line)} is something else again")
    }

    private static func read(_ json: String) -> ClientCommand? {
        try? ClientCommand(ByteBuffer(string: json), hasher: hasher, payloadBytesMax: payloadBytesMax)
    }

    private static func json(_ wish: ClientCommand.Subscription) -> String {
        let since = wish.since.map { ",\"since\":\(quoted($0))" } ?? ""
        return "{\"channel\":\(quoted(wish.channel))\(since),\"presence\":\(wish.presence)}"
    }

    private static func text(_ start: String, _ elements: [String]) -> String { start + elements.joined(separator: ",") }

    private static func quoted(_ text: String) -> String {
        var bytes: [UInt8] = []
        JSONText.appendQuoted(text, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
