// Which producers the link port takes, and what each may publish. Who has keys fills this in before any link exists.
import HashRing
import RingpostCore

/// What the link port asks about producers.
struct LinkAdmission: Sendable {
    /// What somebody with this credential may do; `nil` for a stranger. The credential is empty if the producer has none.
    var pass: @Sendable (_ credential: String) -> LinkPass? = { _ in LinkPass() }
    /// What a stranger is told.
    var refusal = "producers need an API key here that may publish: RINGPOST_API_KEY or --api-key-file"

    /// No producer is let in.
    static func nobody(_ sentence: String) -> LinkAdmission { LinkAdmission(pass: { _ in nil }, refusal: sentence) }
}

/// Which producers a node's link port takes, by its settings: the secret and the certificates of links say who is a node, and nothing of who
/// may publish.
enum LinkProducers: Equatable {
    /// Only this machine reaches the port, and nobody is asked for a key.
    case anybody
    case withKey
    /// The port would take anybody who reaches it, or is to take nobody. The sentence is for the one who comes and for the log.
    case nobody(String)

    init(_ configuration: NodeConfiguration) {
        if !configuration.takesLinkProducers {
            self = .nobody(
                "this link port takes no producers (--link-producers off): publish at an API port, or on another node's link port")
        } else if configuration.auth.asksForKeys {
            self = .withKey
        } else if LoopbackPolicy.isLoopback(configuration.link.host) {
            self = .anybody
        } else {
            self = .nobody(
                "this link port takes no producers, because its node has no API keys to know them by, and others than its machine reach it: "
                    + "start the node with --api-keys, or publish at an API port")
        }
    }
}

/// What one producer may do.
struct LinkPass: Sendable {
    /// Of its API key, as it stands now; `nil` where it is good no more. Asked for each message.
    var grant: @Sendable () -> APIGrant? = { .all }
}
