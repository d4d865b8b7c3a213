// `ringpost replay`: the proof on real input. Real clients, real producers, every message checked.
import ArgumentParser
import FoundationEssentials
import RingpostClient
import RingpostReplay

struct ReplayCommand: AsyncParsableCommand {
    /// Messages of a chat of its own making, unless told otherwise.
    private static let generatedMessages = 5_000

    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Replay a chat through the cluster and check that everyone got exactly their messages, in order.",
        discussion: """
            Example: ringpost replay --users 200 --messages 5000
            Example: ringpost replay chat.jsonl --speed 100 --users 500
            Without a file it makes its own chat: few users get most of it, names and texts are of all kinds. A file has one object a line: {"at":"2004-12-25T09:14","from":"ann","to":"bob","text":"…"}. Lines with "to": null go to a
            channel of their day, to which all chosen users listen who were there on that day.
            Ends with status 1 when anything was lost, came twice, out of order, or to the wrong user.
            """)

    @Argument(help: "The chat log, one JSON object a line. (default: traffic of its own making, decided by the seed)")
    var file: String?

    @Option(help: "How much faster than it was said; silences take 1 s at most. 0: as fast as it goes.")
    var speed = 0.0

    @Option(help: "Replay what was said to the users addressed most.")
    var users = 500

    @Option(help: "Replay at most so many messages to users, and as many to channels.")
    var messages: Int?

    @OptionGroup var api: APIOptions
    @OptionGroup var links: LinkOptions

    @Option(
        help: ArgumentHelp(
            "Where nodes ask for tokens: a key to make each user's with, as for `ringpost token new`.", valueName: "file"))
    var tokenKey: String?

    @Option(help: "Transports that the users' clients share evenly: ws, sse, poll (long polls), polling (plain polls).")
    var transports = "ws,sse,poll,polling"

    @Flag(inversion: .prefixedNo, help: "Also say what addresses nobody, on one channel a day.")
    var channels = true

    @Option(help: "Decides who uses which transport at which node; the summary names it.")
    var seed: UInt64?

    func validate() throws {
        if speed < 0 || !speed.isFinite { throw ValidationError("--speed is 0 or more") }
        if users < 1 { throw ValidationError("--users is 1 or more") }
        if let messages, messages < 1 { throw ValidationError("--messages is 1 or more") }
        _ = try chosenTransports()
    }

    func run() async throws {
        let seed = seed ?? .random(in: 0...999_999)
        let access = try await access()
        let report: ReplayReport
        do {
            // First, because reading the log takes a moment, and without nodes it is for nothing.
            let nodes = try await api.client().nodes().nodes.filter { $0.answered }
            let log = try log(seed: seed)
            let plan = log.withUnsafeBytes {
                ReplayPlan($0, userMax: users, messageMax: messages ?? .max, speed: speed, withChannels: channels)
            }
            if plan.messages.isEmpty {
                Console.note(
                    "ringpost: no line of \(file ?? "the chat") addresses anybody; expected {\"at\":…,\"from\":…,\"to\":…,\"text\":…} a line"
                )
                throw ExitCode.failure
            }
            Console.note(
                "\(plan.messages.count) messages to \(plan.users.count) users through \(nodes.count) nodes (\(plan.lines) lines, \(plan.undirected) address nobody, \(plan.others) others, \(plan.malformed) unreadable)"
            )
            if !plan.calls.isEmpty {
                Console.note(
                    "\(plan.calls.count) messages on \(plan.channels.count) channels, one a day, to the users who were there on that day")
            }
            if speed > 0, let last = plan.messages.last?.dueMilliseconds {
                Console.note("at this speed it takes about \(max(1, last / 60_000)) min; --speed 0 goes as fast as it can")
            }
            let run = try ReplayRun(
                plan: plan, log: log, nodes: nodes, access: access, transports: try chosenTransports(), seed: seed)
            report = try await run.perform()
        } catch let error as OperatorError {
            throw Console.fail(error)
        } catch let error as ReplayError {
            throw Console.fail(error)
        }
        for line in report.lines() { Console.line(line) }
        if !report.isClean { throw ExitCode.failure }
    }

    private func log(seed: UInt64) throws -> Data {
        guard let file else {
            Console.note("a chat of its own making: --seed \(seed) makes it again")
            return Data(GeneratedChat(seed: seed, users: users, messages: messages ?? Self.generatedMessages).log)
        }
        do { return try Data(contentsOf: URL(filePath: file), options: .alwaysMapped) } catch {
            Console.note("ringpost: can't read \(file)")
            throw ExitCode.failure
        }
    }

    private func access() async throws -> ReplayAccess {
        var producers = try links.options(api)
        // Nodes name each other without a scheme: it is the API's.
        let isTLS = try api.endpoints().contains(where: \.isTLS)
        producers.linkTLS = producers.linkTLS ?? isTLS
        var access = ReplayAccess(producers: producers, clientsSpeakTLS: isTLS)
        if let tokenKey {
            do { access.minter = try await TokenMinter(file: tokenKey) } catch { throw Console.fail(error) }
        }
        return access
    }

    private func chosenTransports() throws -> [Subscriber.Transport] {
        let names = transports.split(separator: ",")
        let chosen = names.compactMap { Subscriber.Transport(rawValue: String($0)) }
        guard chosen.count == names.count, !chosen.isEmpty else {
            throw ValidationError("--transports takes ws, sse, poll and polling, comma separated, not \"\(transports)\"")
        }
        return chosen
    }
}

/// Why a replay could not begin or go on.
struct ReplayError: Error, CustomStringConvertible {
    let description: String
}
