// `ringpost send`: one message from the command line, or one a line from standard input.
import ArgumentParser
import RingpostClient
import Synchronization

struct SendCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send",
        abstract: "Send messages to a user or a channel and print their receipts.",
        discussion: """
            Example: ringpost send --user alice 'Your taxi is here'
                     ringpost send --channel room 'Good morning'
            Without a text, every line of standard input is one message: tail -f app.log | ringpost send --user ops
            """)

    @Option(help: "The user to send to.")
    var user: String?

    @Option(help: "The channel to send to.")
    var channel: String?

    @OptionGroup var api: APIOptions
    @OptionGroup var links: LinkOptions

    @Flag(help: "The text is JSON and travels as it is.")
    var json = false

    @Option(help: "Makes a repeat harmless: the same key gets the first receipt again. Only with a text.")
    var idempotencyKey: String?

    @Option(help: ArgumentHelp("Forget the message after so long; 0: only for sockets attached now.", valueName: "seconds"))
    var ttl: UInt32?

    @Flag(help: "Print no receipts.")
    var quiet = false

    @Flag(help: "Print receipts as JSON.")
    var jsonReceipts = false

    @Argument(help: "The message; without it, one a line from standard input.")
    var text: String?

    private var destination: Producer.Destination { user.map { .user($0) } ?? .channel(channel ?? "") }

    func validate() throws {
        if (user == nil) == (channel == nil) { throw ValidationError("say to whom: either --user or --channel") }
        if idempotencyKey != nil, text == nil {
            throw ValidationError("--idempotency-key needs a text: lines with one key would be one message")
        }
    }

    func run() async throws {
        let producer = Producer(api: try api.endpoints(), options: try links.options(api))
        do {
            try await producer.connect()
            if let text { try await send(text, producer) } else { try await sendLines(producer) }
        } catch let error as ProducerError {
            throw Console.fail(error)
        }
        await producer.close()
    }

    private func send(_ text: String, _ producer: Producer) async throws {
        let receipt = try await producer.send(
            payload(text), to: destination, idempotency: idempotencyKey.map(Producer.Idempotency.key) ?? .automatic, timeToLiveSeconds: ttl)
        if !quiet { Console.line(receipt.line(to: destination, json: jsonReceipts)) }
    }

    private func sendLines(_ producer: Producer) async throws {
        let printer = ReceiptPrinter(destination: destination, quiet: quiet, json: jsonReceipts)
        var number = 0
        // Reading blocks this thread only; links and receipts live on event loops.
        while let line = readLine() {
            let index = number
            number += 1
            try await producer.enqueueWaiting(payload(line), to: destination, timeToLiveSeconds: ttl) { printer.take(index, $0) }
        }
        await producer.close()
        if printer.failures > 0 {
            Console.note("ringpost: \(printer.failures) of \(number) messages have no receipt")
            throw ExitCode.failure
        }
    }

    private func payload(_ text: String) -> Producer.Payload { json ? .json(Array(text.utf8)) : .text(text) }
}

/// Prints receipts in the order of the lines, in which they nearly always come.
private final class ReceiptPrinter: Sendable {
    private struct State {
        var next = 0
        /// Came before the one that is next; at most as many as are under way.
        var early: [Int: Result<SendReceipt, ProducerError>] = [:]
        var failures = 0
    }

    private let destination: Producer.Destination
    private let quiet: Bool
    private let json: Bool
    private let state = Mutex(State())

    init(destination: Producer.Destination, quiet: Bool, json: Bool) {
        self.destination = destination
        self.quiet = quiet
        self.json = json
    }

    var failures: Int { state.withLock(\.failures) }

    func take(_ index: Int, _ result: Result<SendReceipt, ProducerError>) {
        state.withLock { state in
            state.early[index] = result
            while let result = state.early.removeValue(forKey: state.next) {
                state.next += 1
                switch result {
                case .success(let receipt): if !quiet { Console.line(receipt.line(to: destination, json: json)) }
                case .failure(let error):
                    state.failures += 1
                    Console.note("line \(state.next): \(error)")
                }
            }
        }
    }
}

extension SendReceipt {
    fileprivate func line(to destination: Producer.Destination, json: Bool) -> String {
        if json {
            let target =
                switch destination {
                case .user(let name): "\"user\":\(jsonQuoted(name))"
                case .channel(let name): "\"channel\":\(jsonQuoted(name))"
                }
            return """
                {\(target),"seq":\(sequence),"epoch":\(epoch),"owner":\(jsonQuoted(owner)),"via":\(jsonQuoted(via)),\
                "outcome":"\(outcome.rawValue)","mirrored":\(isMirrored)\(copies > 2 ? ",\"copies\":\(copies)" : "")\
                \(isDurable ? ",\"durable\":true" : ""),"id":"\(id)"\(isRepeated ? ",\"repeated\":true" : "")}
                """
        }
        let mirrors = !isMirrored ? "  not mirrored" : copies > 2 ? "  \(copies) copies" : ""
        return "seq \(sequence)  \(outcome.rawValue)  owner \(owner)  epoch \(epoch)  id \(id)" + mirrors
            + (isDurable ? "  durable" : "") + (isRepeated ? "  repeated" : "")
    }
}
