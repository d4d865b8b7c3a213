// `ringpost key`: the file of API keys of producers and operators, which nodes read (--api-keys).
import ArgumentParser
import RingpostCore

import Glibc

struct KeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Make, list and remove API keys of producers and operators.",
        subcommands: [New.self, List.self, Remove.self])

    struct FileOptions: ParsableArguments {
        @Option(help: "The file of keys that nodes are given with --api-keys, one JSON object a line.")
        var file: String
    }
}

extension KeyCommand {
    struct New: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "new",
            abstract: "Make an API key: its hash goes to the file, its text to standard output.",
            discussion: """
                The text is shown this once and kept nowhere. Nodes take the key as soon as they see the changed file.

                EXAMPLE
                  ringpost key new --scope publish-users --scope read --name 'game:*' --note billing --file keys.jsonl > billing.key
                """)

        private static let secondsADay: Int64 = 86_400

        @Option(name: .customLong("scope"), help: "What it may be used for; repeatable.")
        var scopes: [APIScope] = []

        @Option(
            name: .customLong("name"),
            help: "A user or channel that it is limited to, or with * at the end all that begin so; repeatable. (default: all)")
        var names: [String] = []

        @Option(help: "What it is for, for people.")
        var note: String?

        @Option(help: ArgumentHelp("When it ends. (default: never)", valueName: "days"))
        var expiresIn: Int64?

        @Option(help: "Messages in a second, and twice as many at once, on each node. (default: no bound of its own)")
        var rate: Int?

        @Flag(help: "Name the key's id in the messages that come with it: \"from\":{\"key\":\"…\"}.")
        var named = false

        @OptionGroup var keys: FileOptions

        func validate() throws {
            if scopes.isEmpty {
                throw ValidationError("say what it is for: --scope \(APIScope.allCases.map(\.rawValue).joined(separator: ", --scope "))")
            }
            if NamePatterns(names) == nil {
                throw ValidationError("--name takes a name, or a beginning with * behind it, of at most \(NamePattern.bytesMax) bytes")
            }
            if let expiresIn, !(1...36_500).contains(expiresIn) { throw ValidationError("--expires-in is 1 to 36500 days") }
            if let rate, rate < 1 { throw ValidationError("--rate is 1 or more") }
        }

        func run() async throws {
            let expires = expiresIn.map { Int64(time(nil)) + $0 * Self.secondsADay }
            let key = NewAPIKey(scopes: scopes, names: names, note: note, expires: expires, rate: rate, isNamed: named)
            let file = SecretFile(keys.file, what: "API keys")
            do throws(SecretError) { try KeyFile(path: keys.file).append(key.record) } catch { throw Console.fail(error) }
            if let warning = file.warning { Console.note(warning) }
            Console.line(key.text)
            Console.notes(
                """
                Key \(key.record.id) is in \(keys.file), as a hash. What stands on standard output, rp_\(key.record.id)_…, is the key itself, and
                is shown this once: keep it in a file that only its user can read (--api-key-file, RINGPOST_API_KEY_FILE), or in
                RINGPOST_API_KEY. Requests bring it as "Authorization: Bearer rp_…".
                """)
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "list", abstract: "List the keys of a file, without their hashes.",
            discussion: "Example: ringpost key list --file keys.jsonl")

        @OptionGroup var keys: FileOptions

        func run() async throws {
            let lines: [KeyFile.Line]
            do throws(SecretError) { lines = try KeyFile(path: keys.file).lines() } catch { throw Console.fail(error) }
            var table = TextTable([
                ("id", .left), ("scopes", .left), ("names", .left), ("expires", .left), ("rate", .right), ("named", .left), ("note", .left),
            ])
            var faults: [String] = []
            for line in lines {
                switch line {
                case .key(let record): table.append(Self.cells(record, now: Int64(time(nil))))
                case .unreadable(let number, let fault): faults.append("line \(number) of \(keys.file) \(fault)")
                }
            }
            for line in table.lines() { Console.line(line) }
            for fault in faults { Console.note("ringpost: \(fault)") }
            if !faults.isEmpty { throw ExitCode.failure }
        }

        static func cells(_ record: APIKeyRecord, now: Int64) -> [String] {
            let expires = record.expires.map { ($0 <= now ? "ended " : "") + Clock.text(seconds: $0) } ?? "never"
            return [
                Console.printable(record.id), record.scopes.map(\.rawValue).joined(separator: ","),
                record.names.map { $0.map(Console.printable).joined(separator: ",") } ?? "all", expires, record.rate.text,
                record.named == true ? "yes" : "no", Console.printable(record.note ?? ""),
            ]
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove", abstract: "Take a key out of a file; nodes refuse it as soon as they see that.",
            discussion: "Example: ringpost key remove 4fjq0c2m8x1z --file keys.jsonl")

        @Argument(help: "The key's id, as `ringpost key list` shows it.")
        var id: String

        @OptionGroup var keys: FileOptions

        func run() async throws {
            do throws(SecretError) {
                guard try KeyFile(path: keys.file).remove(id) else {
                    throw SecretError("there is no key \(Console.printable(id)) in \(keys.file); `ringpost key list` shows which there are")
                }
            } catch {
                throw Console.fail(error)
            }
            Console.line("\(id) is removed")
        }
    }
}

extension APIScope: ExpressibleByArgument {}
