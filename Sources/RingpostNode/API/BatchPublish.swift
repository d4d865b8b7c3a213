// Publishes a batch and answers in its order. Within a batch a refusal also refuses what follows for the same key. A thousand lines take
// milliseconds: they are read in slices, between which other connections have their turns.
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

final class BatchPublish: PublishSink {
    /// Lines that cost as much as a request does, and what is read in one slice.
    static let linesARequest = 4
    static let sliceLinesMax = FairScheduler.sliceRequestsMax * linesARequest
    static let sliceBytesMax = FairScheduler.sliceRequestsMax * FairScheduler.bytesARequest

    private enum Phase {
        /// Too many lines are refused before the first one is published. Can transition to `publishing` and `done`.
        case counting(BatchReader, lines: Int)
        /// The next line has this index. Can transition to `done`.
        case publishing(BatchReader, lineIndex: Int)
        case done
    }

    private let shard: Shard
    private let head: HTTPRequestHead
    private var grant: APIGrant
    /// Why nothing more is taken: the key has changed meanwhile.
    private var refusal: ProblemReport?
    private let hasher: KeyHasher
    private let body: ByteBuffer
    private let stream: UInt64
    private let exchange: any HTTPExchange
    private var phase = Phase.counting(BatchReader(), lines: 0)
    private var keys: [Key?] = []
    private var answers: [[UInt8]] = []
    private var missing = 0

    init(_ request: HTTPRequest, grant: APIGrant, hasher: KeyHasher, shard: Shard, exchange: any HTTPExchange) {
        body = ByteBuffer(JSONText.withoutByteOrderMark(request.body.readableBytesView))
        head = request.head
        self.grant = grant
        self.hasher = hasher
        self.shard = shard
        self.exchange = exchange
        stream = shard.runtime.numbers.stream()
    }

    private var limits: NodeLimits { shard.context.configuration.limits }

    /// Reads a slice more.
    ///
    /// - Returns: true when all lines have been read; their answers may come later.
    func readSlice() -> Bool {
        // Between two slices the file of keys may change.
        if exchange.peer.isAPIKeyStale(shard), refusal == nil {
            do throws(ProblemReport) { grant = try exchange.peer.apiGrant(head, shard: shard) } catch {
                refusal = error
                shard.auditRefusal(error, head, exchange.peer, from: exchange.remoteText)
            }
        }
        var bytesLeft = Self.sliceBytesMax
        var linesLeft = Self.sliceLinesMax
        while bytesLeft > 0, linesLeft > 0 {
            switch phase {
            case .counting(var reader, let lines):
                let step = body.withUnsafeReadableBytes { reader.next($0, bytesLeft: &bytesLeft) }
                phase = .counting(reader, lines: lines)
                count(step, reader, lines)
            case .publishing(var reader, let lineIndex):
                let step = body.withUnsafeReadableBytes { reader.next($0, bytesLeft: &bytesLeft) }
                guard case .line(let line) = step else {
                    phase = step == .end ? .done : .publishing(reader, lineIndex: lineIndex)
                    continue
                }
                phase = .publishing(reader, lineIndex: lineIndex + 1)
                linesLeft -= 1
                publish(line, lineIndex)
            case .done: return true
            }
        }
        let (bytes, lines) = (Self.sliceBytesMax - bytesLeft, Self.sliceLinesMax - linesLeft)
        shard.spendTurn(requests: bytes / FairScheduler.bytesARequest + lines / Self.linesARequest)
        if case .done = phase { return true }
        return false
    }

    private func count(_ step: BatchReader.Step, _ reader: BatchReader, _ lines: Int) {
        switch step {
        case .pause: break
        case .line where lines < limits.batchMessagesMax: phase = .counting(reader, lines: lines + 1)
        case .line:
            phase = .done
            shard.counters.count(.batchMessages)
            exchange.respond(
                .problem(
                    .tooLarge,
                    "a batch of more than \(limits.batchMessagesMax) messages; at most \(limits.batchMessagesMax) are taken in one"))
        case .end:
            phase = lines == 0 ? .done : .publishing(BatchReader(), lineIndex: 0)
            keys = Array(repeating: nil, count: lines)
            answers = Array(repeating: [], count: lines)
            missing = lines
            if lines == 0 { finish() }
        }
    }

    private func publish(_ range: Range<Int>, _ lineIndex: Int) {
        do throws(ProblemReport) {
            let bytesMax = limits.payloadBytesMax + BatchLine.overheadBytesMax
            if let refusal { throw refusal }
            if range.count > bytesMax { throw ProblemReport(.tooLarge, "the line has \(range.count) bytes; at most \(bytesMax) are taken") }
            let text = body.withUnsafeReadableBytes { Array($0[range]) }
            let line = try BatchLine(text, hasher: hasher, payloadBytesMax: limits.payloadBytesMax)
            try shard.publisher.admit(.apiKey(grant), to: line.request.key)
            keys[lineIndex] = line.request.key
            let message = try shard.publisher.message(line.request, by: .apiKey(grant), hasher: hasher)
            shard.publisher.send(message, stream: stream, to: self, tag: UInt64(lineIndex))
        } catch {
            if error.problem == .tooLarge { shard.counters.count(.payloadBytes) }
            set(lineIndex, HTTPResponse.problem(error.problem, "line \(lineIndex + 1): \(error.message)").body)
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
        case .failure(let problem):
            let message = keys[Int(tag)].map { shard.publisher.report(problem, $0).message }
            set(Int(tag), HTTPResponse.problem(problem, message).body)
        }
    }

    private func set(_ lineIndex: Int, _ line: [UInt8]) {
        answers[lineIndex] = line
        missing -= 1
        if missing > 0 { return }
        shard.postToAll(.streamEnded(stream))
        finish()
    }

    private func finish() {
        exchange.respond(HTTPResponse(headers: [("Content-Type", "application/x-ndjson")], body: answers.flatMap { $0 }))
    }
}
