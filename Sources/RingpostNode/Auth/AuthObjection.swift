// Settings that contradict each other, or that would let strangers in.
import RingpostCore

/// What is wrong with a node's settings as far as trust goes. Pure, so that every refusal has its test.
enum AuthObjection {
    static func find(in configuration: NodeConfiguration) -> String? {
        let auth = configuration.auth
        if auth.asksForTokens, configuration.opensPublishing {
            return "with tokens it is the token that says what a client may publish: leave out --client-publish and "
                + "--client-publish-users, and have the issuer put \"publish\" and \"publishUsers\" into the tokens"
        }
        if !auth.asksForTokens, !auth.issuers.isEmpty || !auth.audiences.isEmpty {
            return "--token-issuer and --token-audience need keys to check tokens with: --token-keys FILE or --token-jwks URL"
        }
        return LoopbackPolicy.objection(
            to: configuration.client, port: "client", isProtected: auth.asksForTokens,
            remedy: "give the node keys that clients' tokens are checked with (--token-keys FILE, --token-jwks URL)")
            ?? LoopbackPolicy.objection(
                to: configuration.api, port: "API", isProtected: auth.asksForKeys,
                remedy: "make API keys (ringpost key new --file FILE) and give the node their file (--api-keys FILE)")
    }
}
