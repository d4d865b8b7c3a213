// The API port: publishing, which is the hot way, and the operators' questions, which are not.
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

final class ProducerRoutes: HTTPRoutes {
    let shard: Shard
    private let operators: OperatorRoutes

    init(shard: Shard) {
        self.shard = shard
        operators = OperatorRoutes(shard: shard)
    }

    private var limits: NodeLimits { shard.shared.configuration.limits }

    var isForClients: Bool { false }
    func isAlwaysAnswered(_ head: HTTPRequestHead) -> Bool { OperatorRoutes.alwaysAnswered.contains(head.pathText) }
    func commonHeaders(for head: HTTPRequestHead) -> [HTTPResponseWriter.Header] { [] }

    func bodyBytesMax(for head: HTTPRequestHead) -> Int {
        head.withPathBytes { Self.isBatch($0) } ? limits.batchBytesMax : limits.payloadBytesMax
    }

    func handle(_ request: HTTPRequest, on connection: HTTPConnection) {
        do throws(ProblemReport) {
            if let (kind, name) = request.head.withPathBytes({ Self.target(inPath: $0) }) {
                try requirePost(request, connection)
                try publish(to: kind, name, request, connection)
            } else if request.head.withPathBytes({ Self.isBatch($0) }) {
                try requirePost(request, connection)
                try publishBatch(request, connection)
            } else {
                try operators.handle(request, on: connection)
            }
        } catch {
            if error.problem == .tooLarge { shard.counters.count(.payloadBytes) }
            var response = HTTPResponse.problem(error.problem, error.message)
            if error.problem == .methodNotAllowed { response.headers.append(("Allow", "POST")) }
            connection.respond(to: request.number, response)
        }
    }

    private func requirePost(_ request: HTTPRequest, _ connection: HTTPConnection) throws(ProblemReport) {
        if request.head.method != .post { throw ProblemReport(.methodNotAllowed, "publish with POST") }
    }

    // MARK: One message

    private static let prefixes: [(kind: KeyKind, prefix: StaticString)] = [(.user, "/v1/users/"), (.channel, "/v1/channels/")]
    private static let messagesSuffix: StaticString = "/messages"
    private static let batchPath: StaticString = "/v1/messages"

    private static func isBatch(_ path: UnsafeRawBufferPointer) -> Bool {
        path.count == batchPath.utf8CodeUnitCount && path.starts(with: batchPath)
    }

    /// The undecoded name in `/v1/users/{user}/messages` or `/v1/channels/{channel}/messages`.
    private static func target(inPath path: UnsafeRawBufferPointer) -> (KeyKind, name: [UInt8])? {
        guard let (kind, start) = prefixes.first(where: { path.starts(with: $0.prefix) }) else { return nil }
        let prefix = start.utf8CodeUnitCount
        let suffix = messagesSuffix.utf8CodeUnitCount
        guard path.count >= prefix + suffix else { return nil }
        let tail = UnsafeRawBufferPointer(rebasing: path[(path.count - suffix)...])
        guard tail.starts(with: messagesSuffix) else { return nil }
        let name = path[prefix..<(path.count - suffix)]
        return name.contains(UInt8(ascii: "/")) ? nil : (kind, Array(name))
    }

    private func publish(
        to kind: KeyKind, _ name: [UInt8], _ request: HTTPRequest, _ connection: HTTPConnection
    ) throws(ProblemReport) {
        let grant = try connection.apiGrant(request.head)
        let view = try shard.currentView()
        let key = try Self.key(kind, percentEncoded: name, hasher: view.hasher)
        let publisher = shard.publisher
        try publisher.admit(.apiKey(grant), to: key)
        guard let format = Payload.kind(of: request.head) else { throw ProblemReport(.unsupportedMediaType) }
        let data = try publisher.payload(request.body, kind: format)
        let idempotencyKey = request.head.withBytes(of: .idempotencyKey) { $0.map { Array($0) } }
        let timeToLive = try PublishRequest.timeToLive(request.head[.ringpostTTL])
        let message = try publisher.message(
            PublishRequest(key: key, data: data, idempotencyKey: idempotencyKey ?? [], timeToLive: timeToLive), hasher: view.hasher)
        connection.awaitReceipt(for: key, request.number)
        publisher.send(message, to: connection, tag: request.number)
    }

    static func key(_ kind: KeyKind, percentEncoded name: [UInt8], hasher: KeyHasher) throws(ProblemReport) -> Key {
        let decoded = name.contains(UInt8(ascii: "%")) ? HTTPTarget.decode(name) : name
        guard let decoded else { throw ProblemReport(.badName, "the name is not valid percent-encoding") }
        return try Key(requested: kind, name: decoded, hasher: hasher)
    }

    // MARK: Many messages

    private func publishBatch(_ request: HTTPRequest, _ connection: HTTPConnection) throws(ProblemReport) {
        let grant = try connection.apiGrant(request.head)
        let view = try shard.currentView()
        if let type = request.head[.contentType], Payload.kind(contentType: type) == nil,
            !type.lowercased().hasPrefix("application/x-ndjson")
        {
            throw ProblemReport(.unsupportedMediaType, "send NDJSON: one JSON object a line")
        }
        let lines = BatchLine.split(request.body.readableBytesView)
        if lines.count > limits.batchMessagesMax {
            shard.counters.count(.batchMessages)
            let sentence = "\(lines.count) messages; at most \(limits.batchMessagesMax) are taken in one batch"
            return connection.respond(to: request.number, .problem(.tooLarge, sentence))
        }
        let batch = BatchPublish(count: lines.count, grant: grant, shard: shard) { [weak connection] body in
            let headers: [HTTPResponseWriter.Header] = [("Content-Type", "application/x-ndjson")]
            connection?.respond(to: request.number, HTTPResponse(status: 200, headers: headers, body: body))
        }
        batch.start(lines.map { Array($0) }, hasher: view.hasher, payloadBytesMax: limits.payloadBytesMax)
    }
}

extension UnsafeRawBufferPointer {
    func starts(with text: StaticString) -> Bool {
        count >= text.utf8CodeUnitCount
            && prefix(text.utf8CodeUnitCount).elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }
}
