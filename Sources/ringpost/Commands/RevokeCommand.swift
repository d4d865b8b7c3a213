// `ringpost revoke`: a user's tokens, or one of them, are good no more.
import ArgumentParser
import RingpostClient

struct RevokeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke",
        abstract: "Refuse a user's tokens, or one of them, and close the sockets that were opened with them.",
        discussion: """
            All nodes refuse them within a second, until they would have expired by themselves. Needs an API key with the scope administer.

            EXAMPLE
              ringpost revoke alice
              ringpost revoke alice --token-id 7c1f --expires 1795230219
              ringpost revoke --list
            """)

    @OptionGroup var api: APIOptions

    @Argument(help: "Whose tokens.")
    var user: String?

    @Option(help: "Only the token with this id (its jti).")
    var tokenId: String?

    @Option(help: ArgumentHelp("When that token expires by itself (its exp), in seconds since 1970.", valueName: "seconds"))
    var expires: Int64?

    @Flag(help: "Show what is revoked.")
    var list = false

    func validate() throws {
        if list != (user == nil) { throw ValidationError("give a user, or --list") }
        if list, tokenId != nil || expires != nil { throw ValidationError("--list goes alone") }
        if let expires, expires < 1 { throw ValidationError("--expires is in seconds since 1970") }
        if expires != nil, tokenId == nil { throw ValidationError("--expires belongs to --token-id") }
    }

    func run() async throws {
        let client = try api.client()
        do throws(OperatorError) {
            guard let user else { return Self.show(try await client.revocations()) }
            let revocation = try await client.revoke(user: user, token: tokenId, expires: expires)
            let what = revocation.token.map { "token \(Console.printable($0)) of" } ?? "all tokens of"
            Console.line("\(what) \(Console.printable(revocation.user)) are refused until \(Clock.text(revocation.until * 1_000))")
        } catch {
            throw Console.fail(error)
        }
    }

    private static func show(_ revocations: [Revocation]) {
        if revocations.isEmpty { return Console.line("nothing is revoked") }
        var table = TextTable([("user", .left), ("token", .left), ("until", .left)])
        for revocation in revocations {
            table.append([
                Console.printable(revocation.user), revocation.token.map(Console.printable) ?? "all",
                Clock.text(revocation.until * 1_000),
            ])
        }
        for line in table.lines() { Console.line(line) }
    }
}
