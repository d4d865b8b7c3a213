// Where in a token's claims its grants stand. Issuers that were there before Ringpost have written them for others: Centrifugo's `channels`
// and `subs`, Mercure's `mercure.subscribe`. What is not understood exactly is refused, never guessed: a grant must not become a wider one.
import RingpostCore

/// What a token can grant.
public enum GrantClaim: String, Sendable, CaseIterable {
    case subscribe, presence, publish, publishUsers, history, historyUsers

    var form: String {
        switch self {
        case .publishUsers, .historyUsers: "a list of user ids"
        case .subscribe, .presence, .publish, .history: "a list of channel names"
        }
    }
}

/// By grant, the claims that it is read from; a grant that is not in the map is read from the claim of its own name.
public struct ClaimsMap: Hashable, Sendable {
    /// Claims of one grant.
    public static let sourcesMax = 8
    /// Bytes of a claim's path, and levels that it may go down.
    public static let pathBytesMax = 256
    /// See ``pathBytesMax``.
    public static let levelsMax = 8
    /// What can be said for a map, for sentences.
    public static let form = "ringpost, centrifugo, mercure, or pairs as subscribe=realm.channels"

    /// What the names in a claim mean.
    enum Reading: Hashable, Sendable {
        /// Names, or beginnings with a star behind them, with `{user}` in them or not: Ringpost's own.
        case patterns
        /// Names as they are, in a list or as an object's members: Centrifugo's.
        case names
        /// Topics as they are, or `*` for all of them: Mercure's. URI templates are not taken.
        case topics
    }

    struct Source: Hashable, Sendable {
        let path: [String]
        let reading: Reading

        var text: String { path.joined(separator: ".") }
    }

    private var sources: [GrantClaim: [Source]] = [:]

    /// Every grant in the claim of its own name.
    public init() {}

    /// - Parameter texts: each one of ``form``; several add up.
    /// - Throws: a sentence about the first that is none.
    public init(_ texts: [String]) throws(ClaimsMapFault) {
        for text in texts { try add(text) }
    }

    func sources(of grant: GrantClaim) -> [Source] { sources[grant] ?? [Source(path: [grant.rawValue], reading: .patterns)] }

    private mutating func add(_ text: String) throws(ClaimsMapFault) {
        switch text {
        case "ringpost":
            for grant in GrantClaim.allCases { try add(Source(path: [grant.rawValue], reading: .patterns), to: grant) }
        case "centrifugo":
            try add(Source(path: ["channels"], reading: .names), to: .subscribe)
            try add(Source(path: ["subs"], reading: .names), to: .subscribe)
        case "mercure":
            try add(Source(path: ["mercure", "subscribe"], reading: .topics), to: .subscribe)
            try add(Source(path: ["mercure", "publish"], reading: .topics), to: .publish)
        default: try add(pair: text)
        }
    }

    private mutating func add(pair text: String) throws(ClaimsMapFault) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else { throw ClaimsMapFault("\"\(text.prefix(64))\" is no map of claims: give \(Self.form)") }
        guard let grant = GrantClaim(rawValue: parts[0]) else {
            let known = GrantClaim.allCases.map(\.rawValue).joined(separator: ", ")
            throw ClaimsMapFault("\"\(parts[0].prefix(64))\" is nothing that a token grants: that is \(known)")
        }
        // Claims that are called like an address have dots that part nothing.
        let path = parts[1].contains("://") ? [parts[1]] : parts[1].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard !path.contains(""), path.count <= Self.levelsMax, parts[1].utf8.count <= Self.pathBytesMax else {
            throw ClaimsMapFault(
                "\"\(parts[1].prefix(64))\" is no claim: give its name, with dots between levels (\(Self.levelsMax) at most), as realm.channels"
            )
        }
        try add(Source(path: path, reading: .patterns), to: grant)
    }

    private mutating func add(_ source: Source, to grant: GrantClaim) throws(ClaimsMapFault) {
        if sources[grant, default: []].contains(source) { return }
        guard sources[grant, default: []].count < Self.sourcesMax else {
            throw ClaimsMapFault("\(grant.rawValue) is read from at most \(Self.sourcesMax) claims")
        }
        sources[grant, default: []].append(source)
    }
}

/// What is wrong with a map, or with a claim.
public struct ClaimsMapFault: Error, Hashable, Sendable {
    /// A sentence.
    public let message: String

    init(_ message: String) { self.message = message }
}
