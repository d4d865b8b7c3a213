// What clients may publish themselves. Nothing, unless it is opened.
import HashRing

/// The keys that clients may publish to.
public struct ClientPublishPolicy: Sendable, Equatable {
    private let namespaces: Set<String>
    private let allChannels: Bool
    private let users: Bool

    /// Nothing.
    public init() { self.init(channels: [], users: false) }

    /// - Parameters:
    ///   - channels: each opens the channel of that name and all below it: `game` also `game:42`; `*` opens every channel.
    ///   - users: clients may publish to users.
    public init(channels: [String], users: Bool) {
        namespaces = Set(channels)
        allChannels = namespaces.contains("*")
        self.users = users
    }

    /// Whether a client may publish to the key.
    public func allows(_ key: Key) -> Bool {
        switch key.kind {
        case .user: return users
        case .channel:
            if allChannels { return true }
            if namespaces.isEmpty { return false }
            let name = key.text
            if namespaces.contains(name) { return true }
            return name.indices.contains { name[$0] == ":" && namespaces.contains(String(name[..<$0])) }
        }
    }
}
