// `ringpost token`: tokens (JWT) for trying out and for tests, and keys to sign them with.
import ArgumentParser
import RingpostCore

import Glibc

struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Make tokens for development, and keys to sign them with.",
        discussion: "In production, tokens are made where your users log in; docs/guide/security.md lists the claims.",
        subcommands: [New.self, NewKey.self])

    struct New: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "new",
            abstract: "Make a token and print it.",
            discussion: """
                A name that ends in * stands for all that begin alike; what is not granted is refused.

                EXAMPLE
                  ringpost token new --key dev.hs256 --user alice --subscribe room --subscribe 'game:*' > alice.jwt
                """)

        private static let secondsMax: Int64 = 366 * 86_400

        @Option(help: "The key: a secret (.hs256, .hs384, .hs512) or a PEM private key.")
        var key: String

        @Option(help: "What the token calls the key. (default: the file's name without its ending)")
        var kid: String?

        @Option(help: "Whose token it is.")
        var user: String

        @Option(help: "A channel that the user may listen to; repeatable.")
        var subscribe: [String] = []

        @Option(help: "A channel that the user may publish to on a WebSocket; repeatable.")
        var publish: [String] = []

        @Option(help: "A channel whose listeners the user may see; repeatable.")
        var presence: [String] = []

        @Option(help: "A user that the user may publish to on a WebSocket; repeatable.")
        var publishUsers: [String] = []

        @Option(help: "A channel whose messages the user may page through; repeatable.")
        var history: [String] = []

        @Option(help: "A user whose messages the user may page through, {user} for its own; repeatable.")
        var historyUsers: [String] = []

        @Option(help: ArgumentHelp("When it ends.", valueName: "seconds"))
        var expiresIn: Int64 = 3_600

        @Option(help: "Who says so (iss).")
        var issuer: String?

        @Option(help: "For whom it is (aud).")
        var audience: String?

        @Option(help: "The token's own id (jti), by which it can be revoked.")
        var id: String?

        func validate() throws {
            if !(1...Self.secondsMax).contains(expiresIn) { throw ValidationError("--expires-in is 1 to \(Self.secondsMax) seconds") }
            if user.isEmpty { throw ValidationError("--user has a name") }
            for (option, names) in [
                ("subscribe", subscribe), ("publish", publish), ("presence", presence), ("publish-users", publishUsers),
                ("history", history), ("history-users", historyUsers),
            ] where NamePatterns(names) == nil {
                throw ValidationError("--\(option) takes names, or beginnings with * behind them, \(NamePatterns.countMax) at most")
            }
        }

        func run() async throws {
            let now = Int64(time(nil))
            func granted(_ names: [String]) -> [String]? { names.isEmpty ? nil : names }
            let claims = TokenClaims(
                sub: user, exp: now + expiresIn, iat: now, iss: issuer, aud: audience, jti: id, subscribe: granted(subscribe),
                publish: granted(publish), presence: granted(presence), publishUsers: granted(publishUsers),
                history: granted(history), historyUsers: granted(historyUsers))
            do { Console.line(try await TokenMinter(file: key, id: kid).token(claims)) } catch { throw Console.fail(error) }
        }
    }

    struct NewKey: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "key",
            abstract: "Make a key to sign tokens with.",
            discussion: """
                A secret (HS256) is for nodes and for whoever makes tokens. Of the others, nodes get the public key only, which is written
                beside the private one as <name>.pub.pem. Tokens call it <name>.

                EXAMPLE
                  ringpost token key --algorithm ES256 --file dev.pem
                """)

        @Option(help: "\(NewTokenKey.allCases.map(\.rawValue).joined(separator: ", ")).")
        var algorithm: NewTokenKey

        @Option(help: "Where to write it: a name that ends in .hs256 for a secret, in .pem for all others.")
        var file: String

        private var publicFile: String { file.dropLast("pem".count) + "pub.pem" }

        func validate() throws {
            guard FileName.ending(file) == algorithm.ending, !FileName.stem(file).isEmpty else {
                throw ValidationError(
                    "name the file <name>.\(algorithm.ending): nodes read from the ending what it is, and tokens call it <name>")
            }
            if file.hasSuffix(".pub.pem") { throw ValidationError("\(file) would be the public key's name: give <name>.pem") }
        }

        func run() async throws {
            do {
                let made = try algorithm.make()
                try SecretFile.create(file, Array(made.secret.utf8))
                guard let key = made.public else {
                    return Console.note("\(file) is the secret: nodes take it with --token-keys, `ringpost token new` with --key")
                }
                try SecretFile.create(publicFile, Array(key.utf8), mode: 0o644)
            } catch {
                throw Console.fail(error)
            }
            Console.notes(
                """
                \(file) is the private key, for `ringpost token new --key`; \(publicFile) is the public one, which nodes take with
                --token-keys, alone or in a directory with others
                """)
        }
    }
}

extension NewTokenKey: ExpressibleByArgument {
    /// However it is written.
    init?(argument: String) {
        guard let key = NewTokenKey.allCases.first(where: { $0.rawValue.lowercased() == argument.lowercased() }) else { return nil }
        self = key
    }
}
