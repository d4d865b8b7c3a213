// Answers to publishes as JSON: one for a single message, and a line each for a batch.
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

extension Receipt.Outcome {
    /// As receipts and metrics show it.
    var code: StaticString {
        switch self {
        case .delivered: "delivered"
        case .stored: "stored"
        case .dropped: "dropped"
        }
    }
}

extension Receipt {
    /// `{"user":"alice","seq":1,"epoch":12,"owner":"n2","outcome":"delivered","mirrored":false,"id":"…"}`
    func appendJSON(key: Key, to bytes: inout [UInt8]) {
        bytes.append(text: key.kind == .user ? "{\"user\":" : "{\"channel\":")
        key.name.withUnsafeBytes { JSONText.appendQuoted($0, to: &bytes) }
        bytes.append(text: ",\"seq\":")
        bytes.append(decimal: sequence)
        bytes.append(text: ",\"epoch\":")
        bytes.append(decimal: epoch)
        bytes.append(text: ",\"owner\":\"")
        bytes.append(contentsOf: owner.utf8)
        bytes.append(text: "\",\"outcome\":\"")
        bytes.append(text: outcome.code)
        bytes.append(text: mirrored ? "\",\"mirrored\":true,\"id\":\"" : "\",\"mirrored\":false,\"id\":\"")
        id.append(to: &bytes)
        bytes.append(text: repeated ? "\",\"repeated\":true}" : "\"}")
    }
}

extension HTTPConnection: PublishSink {
    /// The tag is the request's number.
    func onAnswer(tag: UInt64, _ result: PublishResult) {
        switch result {
        case .success(let receipt): respond(to: tag, receipt)
        case .failure(let problem): respond(to: tag, .problem(problem))
        }
    }
}

/// Publishes a batch and answers in its order. Within a batch a refusal also refuses what follows for the same key.
final class BatchPublish: PublishSink {
    private let shard: Shard
    private let stream: UInt64
    private let finish: ([UInt8]) -> Void
    private let grant: APIGrant
    private var keys: [Key?]
    private var lines: [[UInt8]]
    private var missing: Int

    init(count: Int, grant: APIGrant, shard: Shard, finish: @escaping ([UInt8]) -> Void) {
        self.grant = grant
        self.shard = shard
        self.finish = finish
        stream = shard.runtime.numbers.stream()
        keys = Array(repeating: nil, count: count)
        lines = Array(repeating: [], count: count)
        missing = count
    }

    func start(_ bodies: [[UInt8]], hasher: KeyHasher, payloadBytesMax: Int) {
        if bodies.isEmpty { finish([]) }
        let publisher = shard.publisher
        for (lineIndex, body) in bodies.enumerated() {
            do throws(ProblemReport) {
                let line = try BatchLine(body, hasher: hasher, payloadBytesMax: payloadBytesMax)
                try publisher.admit(.apiKey(grant), to: line.request.key)
                keys[lineIndex] = line.request.key
                publisher.send(try publisher.message(line.request, hasher: hasher), stream: stream, to: self, tag: UInt64(lineIndex))
            } catch {
                if error.problem == .tooLarge { shard.counters.count(.payloadBytes) }
                set(lineIndex, HTTPResponse.problem(error.problem, "line \(lineIndex + 1): \(error.message)").body)
            }
        }
    }

    func onAnswer(tag: UInt64, _ result: PublishResult) {
        switch result {
        case .success(let receipt):
            guard let key = keys[Int(tag)] else { return }
            var line: [UInt8] = []
            receipt.appendJSON(key: key, to: &line)
            line.append(UInt8(ascii: "\n"))
            set(Int(tag), line)
        case .failure(let problem): set(Int(tag), HTTPResponse.problem(problem).body)
        }
    }

    private func set(_ lineIndex: Int, _ line: [UInt8]) {
        lines[lineIndex] = line
        missing -= 1
        if missing > 0 { return }
        shard.postToAll(.streamEnded(stream))
        finish(lines.flatMap { $0 })
    }
}
