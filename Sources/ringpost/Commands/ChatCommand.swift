// `ringpost chat`: a channel as a chat room, in a terminal. It sends as a producer and listens as a client, so nodes need not let clients
// publish; and it knows every node's address, so that it goes on when the one that it uses dies.
import ArgumentParser
import RingpostClient

struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Chat with everybody in a channel.",
        discussion: """
            Example: ringpost chat --user alice --channel room
            What you type goes to everybody in the channel; Ctrl-D or Ctrl-C leaves it.
            """)

    @Option(help: "Who you are.")
    var user: String

    @Option(help: "Where to chat.")
    var channel: String

    @OptionGroup var url: URLOptions
    @OptionGroup var api: APIOptions
    @OptionGroup var links: LinkOptions

    @Flag(help: "Begin with what was said before, as far as it is kept.")
    var history = false

    func run() async throws {
        let given = (urls: try url.endpoints(), api: try api.endpoints())
        let client = try api.client()
        let nodes: [NodeReport]
        do throws(OperatorError) {
            nodes = try await client.nodes().nodes
        } catch {
            throw Console.fail(error)
        }
        // Nodes name each other without a scheme: each port's is the one that was typed for it.
        func all(_ endpoints: [Endpoint], _ others: [String]) -> [Endpoint] {
            endpoints + others.compactMap { try? Endpoint($0).named(by: endpoints[0]) }.filter { !endpoints.contains($0) }
        }
        var options = Subscriber.Options()
        options.presence = true
        options.token = try url.tokens()
        options.trust = try api.trust.roots()
        let subscriber = Subscriber(
            urls: all(given.urls, nodes.map(\.client)), user: user, channels: [channel], since: history ? "earliest" : nil, options: options
        )
        let producer = Producer(api: all(given.api, nodes.map(\.api)), options: try links.options(api))
        let room = ChatRoom(user: user, channel: channel, producer: producer)
        let interrupt = Signals.onInterrupt { room.leave() }
        defer { interrupt.cancel() }
        try await room.chat(subscriber)
    }
}

/// What the terminal shows of a channel, and what it sends there.
private final class ChatRoom: Sendable {
    /// A connection that is back sooner is nobody's business; an owner that dies is followed within less.
    private static let patience = Duration.seconds(8)

    private let user: String
    private let channel: String
    private let producer: Producer
    private let terminal: ChatTerminal

    init(user: String, channel: String, producer: Producer) {
        self.user = user
        self.channel = channel
        self.producer = producer
        terminal = ChatTerminal(prompt: "\(Console.printable(user))> ")
    }

    func leave() { terminal.close() }

    /// Until the terminal's input ends.
    func chat(_ subscriber: Subscriber) async throws {
        terminal.open()
        defer { terminal.close() }
        let listening = Task {
            do throws(SubscriberError) { try await listen(subscriber) } catch {
                terminal.note("\(error)")
                leave()
            }
        }
        for await line in terminal.lines where !line.isEmpty { await send(line) }
        listening.cancel()
        await producer.close()
    }

    private func send(_ text: String) async {
        let payload = "{\"from\":\(jsonQuoted(user)),\"text\":\(jsonQuoted(text))}"
        do {
            _ = try await producer.send(.json(Array(payload.utf8)), to: .channel(channel))
        } catch {
            terminal.note("not sent: \(error)")
        }
    }

    private func listen(_ subscriber: Subscriber) async throws(SubscriberError) {
        var iterator = subscriber.makeAsyncIterator()
        var here: Set<String>?
        var alarm: Task<Void, Never>?
        while let event = try await iterator.next() {
            switch event {
            case .message(let message): terminal.show(ChatLine(message).text(at: message.at, isDirect: message.channel == nil))
            case .present(_, let subscribers, let users):
                let now = Set(users)
                if let here {
                    // After another connection: who came and went meanwhile.
                    say(here.subtracting(now), "left")
                    say(now.subtracting(here), "joined")
                } else {
                    let others = users.filter { $0 != user }
                    terminal.note("you are in \(Console.printable(channel)) with \(others.printable) (\(subscribers) connected)")
                }
                here = now
            case .joined(_, let users):
                say(Set(users).subtracting(here ?? []), "joined")
                here?.formUnion(users)
            case .left(_, let users):
                say(Set(users), "left")
                here?.subtract(users)
            case .channelGap: terminal.note("something that was said here is not kept any more")
            case .attached, .listening:
                alarm?.cancel()
                alarm = nil
            case .disconnected(let reason) where alarm == nil:
                alarm = Task { [terminal] in
                    if (try? await Task.sleep(for: Self.patience)) != nil { terminal.note("not connected (\(reason)); trying again") }
                }
            case .notRenewed(let reason): terminal.note("the token is not renewed: \(Console.printable(reason))")
            case .gap, .expiring, .disconnected, .reconnecting: break
            }
        }
        alarm?.cancel()
    }

    private func say(_ users: Set<String>, _ what: String) {
        for name in users.sorted() where name != user { terminal.note("\(Console.printable(name)) \(what)") }
    }
}

/// What a message says, and who says it: `{"from":"alice","text":"hello"}`, or anything else.
private struct ChatLine {
    private var from: String?
    private var text: String

    init(_ message: Message) {
        text = message.text ?? String(decoding: message.data, as: UTF8.self)
        var said: String?
        message.data.withUnsafeBytes { bytes in
            var reader = JSONReader(bytes)
            while let (name, value) = reader.nextMember() {
                if bytes.holds("from", at: name) { from = bytes.text(at: value) }
                if bytes.holds("text", at: name) { said = bytes.text(at: value) }
            }
        }
        text = said ?? text
    }

    func text(at milliseconds: Int64, isDirect: Bool) -> String {
        let name = from.map { "\(Console.printable($0))\(isDirect ? " to you" : ""): " } ?? (isDirect ? "to you: " : "")
        return "\(Clock.time(milliseconds))  \(name)\(Console.printable(text))"
    }
}
