// `ringpost listen`: messages of a user and of channels as they come, until Ctrl-C.
import ArgumentParser
import Dispatch
import RingpostClient

import Glibc

struct ListenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "listen",
        abstract: "Print messages of a user and of channels as they come.",
        discussion: """
            Example: ringpost listen --user alice --since earliest
                     ringpost listen --channel room --channel news
            Stops at Ctrl-C and says where to resume.
            """)

    @Option(help: "The user to listen as.")
    var user: String?

    @Option(name: .customLong("channel"), help: "A channel to listen to; may be given several times.")
    var channels: [String] = []

    @OptionGroup var url: URLOptions
    @OptionGroup var trust: TrustOptions

    @Option(help: "ws, sse, poll or polling.")
    var transport = Subscriber.Transport.webSocket

    @Option(help: ArgumentHelp("Where to begin: a cursor, or earliest; without it, now.", valueName: "cursor"))
    var since: String?

    @Flag(help: "Go to whatever node a stopping one names, not only to those given with --url.")
    var follow = false

    @Flag(help: "Also say who comes to the channels, and goes.")
    var presence = false

    @Flag(help: "Print each message as one line of JSON.")
    var json = false

    func validate() throws {
        if user == nil, channels.isEmpty { throw ValidationError("say to what: --user, --channel, or both") }
        if presence, transport == .longPoll || transport == .polling { throw ValidationError("--presence needs --transport ws or sse") }
    }

    func run() async throws {
        var options = Subscriber.Options()
        options.followsAddresses = follow
        options.presence = presence
        options.token = try url.tokens()
        options.trust = try trust.roots()
        let subscriber = Subscriber(
            urls: try url.endpoints(), user: user, channels: channels, transport: transport, since: since, options: options)
        let listening = Task { try await listen(subscriber) }
        let interrupt = Signals.onInterrupt { listening.cancel() }
        defer { interrupt.cancel() }
        do {
            let cursor = try await listening.value
            if let cursor { Console.note("stopped; resume with --since \(cursor)") }
        } catch {
            throw Console.fail(error)
        }
    }

    /// The cursor to resume at.
    private func listen(_ subscriber: Subscriber) async throws(SubscriberError) -> String? {
        var cursor = since
        var iterator = subscriber.makeAsyncIterator()
        while let event = try await iterator.next() {
            cursor = iterator.resumeCursor
            switch event {
            case .attached(let position):
                Console.note("connected, at \(position)")
            case .listening(let channel, let position): Console.note("listening to \(Console.printable(channel)), at \(position)")
            case .gap(let position):
                Console.note("gap: messages were lost to the bounds of the history; it goes on after \(position)")
            case .channelGap(let channel, let position):
                Console.note(
                    "gap: messages of \(Console.printable(channel)) were lost to the bounds of its history; it goes on after \(position)")
            case .message(let message):
                if json { Console.json(message.jsonLine) } else { Console.line(message.line(at: Clock.time(message.at))) }
            case .present(let channel, let subscribers, let users):
                Console.note("\(Console.printable(channel)) has \(subscribers) subscribers: \(users.printable)")
            case .joined(let channel, let users): Console.note("\(users.printable) joined \(Console.printable(channel))")
            case .left(let channel, let users): Console.note("\(users.printable) left \(Console.printable(channel))")
            case .expiring(let end): Console.note("the token ends at \(Clock.text(end))")
            case .notRenewed(let reason): Console.note("the token is not renewed: \(Console.printable(reason))")
            case .disconnected(let reason): Console.note("disconnected: \(reason)")
            case .reconnecting(let milliseconds): Console.note("reconnecting in \((Double(milliseconds) / 1_000).text(decimals: 1)) s")
            }
        }
        return cursor
    }
}

extension Subscriber.Transport: ExpressibleByArgument {}

enum Signals {
    /// Calls back at Ctrl-C or a polite request to end, instead of dying.
    static func onInterrupt(_ body: @escaping @Sendable () -> Void) -> any DispatchSourceSignal {
        // The source sees the signal only if the default action doesn't end the process first.
        signal(SIGINT, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
        source.setEventHandler(handler: body)
        source.resume()
        return source
    }
}

extension Message {
    /// `HH:MM:SS  #42  text`; `HH:MM:SS  #42  alice  text` where the sender is named.
    ///
    /// - Parameter time: as it is to be shown.
    func line(at time: String) -> String {
        let position = channel.map { "\(Console.printable($0))#\(sequence)" } ?? "#\(sequence)"
        let sender =
            switch from {
            case .user(let user): "\(Console.printable(user))  "
            case .key(let id): "key \(Console.printable(id))  "
            case nil: ""
            }
        return "\(time)  \(position)  \(sender)\(Console.printable(text ?? String(decoding: data, as: UTF8.self)))"
    }

    fileprivate var jsonLine: [UInt8] {
        let name = channel.map { ",\"channel\":\(jsonQuoted($0))" } ?? ""
        let sender =
            switch from {
            case .user(let user): ",\"from\":{\"user\":\(jsonQuoted(user))}"
            case .key(let id): ",\"from\":{\"key\":\(jsonQuoted(id))}"
            case nil: ""
            }
        let head =
            "{\"seq\":\(sequence),\"cursor\":\(jsonQuoted(cursor)),\"id\":\(jsonQuoted(id)),\"at\":\(at)\(name)\(sender),\"data\":"
        // One line, whatever a node sends.
        return Array(head.utf8) + data.filter { $0 != 0x0A && $0 != 0x09 } + [UInt8(ascii: "}")]
    }
}
