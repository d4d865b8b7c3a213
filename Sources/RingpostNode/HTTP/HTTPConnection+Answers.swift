// What a connection owes its client: answers in the order of the requests, however late each of them comes.
import NIOCore
import RingpostCore
import RingpostWire

extension HTTPConnection {
    struct Answer {
        var bytes: ByteBuffer?
        let headers: [HTTPResponseWriter.Header]
        var keepAlive: Bool
        let isHead: Bool
        /// What a publish was for; its receipt names it.
        var key: Key?
        /// A poll that ends with the connection. Held here only.
        var poll: PollWaiter?
    }

    /// Answers a request; answers leave in the order of the requests.
    func respond(to number: UInt64, _ response: HTTPResponse) {
        guard isOpen, let answerIndex = answerIndex(of: number) else { return }
        // The last one says so. A request behind it has not been looked at: the client may send it again elsewhere.
        if isLeaving, answerIndex == answers.count - 1, head == nil {
            answers[answerIndex].keepAlive = false
            isTakenOver = true
        }
        var bytes = ByteBuffer()
        let answer = answers[answerIndex]
        HTTPResponseWriter.write(
            status: response.status, headers: response.headers + answer.headers, body: response.body, keepAlive: answer.keepAlive,
            isResponseToHead: answer.isHead, into: &bytes)
        answers[answerIndex].bytes = bytes
        answers[answerIndex].poll = nil
        if response.status >= 400 { shard.counters.badRequests[response.status, default: 0] += 1 }
        release()
    }

    private func release() {
        while let first = answers.first, var bytes = first.bytes {
            answers.removeFirst()
            firstNumber += 1
            write { $0.writeBuffer(&bytes) }
            if !first.keepAlive {
                answers.removeAll()
                closeWhenFlushed()
                return
            }
        }
        resume()
    }

    /// The request is a publish for this key, and its receipt the answer.
    func awaitReceipt(for key: Key, _ number: UInt64) {
        if let answerIndex = answerIndex(of: number) { answers[answerIndex].key = key }
    }

    /// The answer to a publish, the hot way: next in the order, as nearly all of them are, it is written where it leaves from.
    func respond(to number: UInt64, _ receipt: Receipt) {
        guard isOpen, let answerIndex = answerIndex(of: number), let key = answers[answerIndex].key else { return }
        runtime.scratch.removeAll(keepingCapacity: true)
        receipt.appendJSON(key: key, to: &runtime.scratch)
        runtime.scratch.append(UInt8(ascii: "\n"))
        guard answerIndex == 0, answers[0].keepAlive, answers[0].headers.isEmpty, !isLeaving else {
            return respond(to: number, .json(runtime.scratch))
        }
        answers.removeFirst()
        firstNumber += 1
        write { HTTPResponseWriter.writeJSON(runtime.scratch, into: &$0) }
        release()
    }

    private func answerIndex(of number: UInt64) -> Int? {
        number >= firstNumber && number - firstNumber < UInt64(answers.count) ? Int(number - firstNumber) : nil
    }

    /// The request has not been answered, and the connection stands.
    func awaitsAnswer(_ number: UInt64) -> Bool { isOpen && !isClosing && answerIndex(of: number).map { answers[$0].bytes == nil } == true }

    /// A request whose answer may take long: it is cancelled if the client goes first, and ended early if the node stops.
    func hold(_ poll: PollWaiter, _ number: UInt64) {
        if let answerIndex = answerIndex(of: number), answers[answerIndex].bytes == nil { answers[answerIndex].poll = poll }
    }

    // MARK: Taking over

    /// True when nothing else is under way on this connection, so that it may become a WebSocket or an event stream.
    func mayBeTakenOver(by number: UInt64) -> Bool { number == firstNumber && answers.count == 1 }

    /// Puts another handler in this one's place, after a head that opens the new protocol; returns bytes that came early.
    ///
    /// - Parameter writeHead: is given the headers that every answer on this port carries.
    func takeOver(with handler: Connection, _ writeHead: ([HTTPResponseWriter.Header], inout ByteBuffer) -> Void) -> ByteBuffer? {
        isTakenOver = true
        // An earlier answer may wait for the end of the tick: it goes first.
        flush()
        guard let context, isDrained, let answerIndex = context.handler as? ConnectionSlot else {
            closeNow()
            return nil
        }
        let common = answers.first?.headers ?? []
        answers.removeAll()
        let leftover = input
        input = ByteBuffer()
        answerIndex.replace(by: handler, context)
        handler.write { writeHead(common, &$0) }
        return leftover
    }
}
