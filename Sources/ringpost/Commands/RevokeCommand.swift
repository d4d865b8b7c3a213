// `ringpost revoke`: a user's tokens, or one of them, are good no more.
import ArgumentParser
import RingpostClient

import Glibc

struct RevokeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Refuse tokens, and close the sockets that were opened with them.",
        discussion: """
            All nodes refuse them within a second, until they would have expired by themselves. Needs an API key with the scope administer.
            A user's clients are told to stay away; those of --key-id and --issued-before to come back with a newer token. A key that is no
            secret any more has to be taken from the nodes as well: until then whoever has it makes new tokens.

            EXAMPLE
              ringpost revoke alice
              ringpost revoke alice --token-id 7c1f --expires 1795230219
              ringpost revoke --key-id 2026-11
              ringpost revoke --issued-before now
              ringpost revoke --list
            """)

    @OptionGroup var api: APIOptions

    @Argument(help: "Whose tokens.")
    var user: String?

    @Option(help: "Only the token with this id (its jti).")
    var tokenId: String?

    @Option(help: ArgumentHelp("When that token expires by itself (its exp), in seconds since 1970.", valueName: "seconds"))
    var expires: Int64?

    @Option(help: "All tokens that were signed with the key that nodes know under this id (kid).")
    var keyId: String?

    @Option(
        help: ArgumentHelp(
            "All tokens, or those of --key-id, that were issued (iat) in that second or before, in seconds since 1970, or now. Tokens that don't say when are meant too.",
            valueName: "time"))
    var issuedBefore: String?

    @Flag(help: "Show what is revoked.")
    var list = false

    func validate() throws {
        let ways = [list, user != nil, keyId != nil || issuedBefore != nil].count { $0 }
        if ways != 1 { throw ValidationError("give a user, or --key-id and --issued-before or one of them, or --list") }
        if user == nil, tokenId != nil || expires != nil { throw ValidationError("--token-id and --expires belong to a user") }
        if issuedBefore != nil, issuedBeforeSeconds == nil {
            throw ValidationError("--issued-before is in seconds since 1970, or now")
        }
        if let expires, expires < 1 { throw ValidationError("--expires is in seconds since 1970") }
        if expires != nil, tokenId == nil { throw ValidationError("--expires belongs to --token-id") }
    }

    private var issuedBeforeSeconds: Int64? {
        issuedBefore.flatMap { $0 == "now" ? Int64(time(nil)) : Int64($0) }.flatMap { $0 >= 0 ? $0 : nil }
    }

    func run() async throws {
        let client = try api.client()
        do throws(OperatorError) {
            if list { return Self.show(try await client.revocations()) }
            let revocation =
                if let user {
                    try await client.revoke(user: user, token: tokenId, expires: expires)
                } else {
                    try await client.revoke(key: keyId, issuedBefore: issuedBeforeSeconds)
                }
            Console.line("\(Self.what(revocation)) are refused until \(Clock.text(seconds: revocation.until))")
            if let note = revocation.note { Console.note("warning: \(Console.printable(note))") }
        } catch {
            throw Console.fail(error)
        }
    }

    private static func show(_ revocations: [Revocation]) {
        if revocations.isEmpty { return Console.line("nothing is revoked") }
        var table = TextTable([("tokens", .left), ("until", .left)])
        for revocation in revocations {
            table.append([what(revocation), Clock.text(seconds: revocation.until)])
        }
        for line in table.lines() { Console.line(line) }
    }

    static func what(_ revocation: Revocation) -> String {
        let key = revocation.key.map { " of the key \(Console.printable($0))" } ?? ""
        let time = revocation.issuedBefore.map { " issued until \(Clock.text(seconds: $0))" } ?? ""
        guard let user = revocation.user else { return "all tokens\(key)\(time)" }
        return (revocation.token.map { "token \(Console.printable($0)) of " } ?? "all tokens of ") + Console.printable(user)
    }
}
