// A member as it announces itself: the content of its ephemeral znode, its entry in the roster, and what link frames tell
// of the member list. The ring sees only id and weight of it.
//
// The JSON keys are stable: `id`, `boot` (16 hexadecimal digits), `lineage` (likewise; may be missing), `disk` ("fsync" or
// "written"; missing where copies are in memory only), `weight`, `zone` (may be missing), `protocol`, and the advertised addresses `client`, `api` and `link` as "host:port". Unknown keys
// are ignored, so that a newer node can say more. `former`, a list of `boot` and `link`, may be missing too.

import HashRing

/// One node in the member list. A member is (id, boot): another boot is another member.
public struct Member: Hashable, Sendable {
    /// The content of a member's znode has at most this many bytes.
    public static let jsonBytesMax = 4_096
    /// A zone's name takes at most this many bytes.
    public static let zoneBytesMax = 64
    /// An advertised "host:port" takes at most this many bytes: a host name has 253 at most.
    public static let addressBytesMax = 260

    /// The node's id, valid by ``NodeID/check(_:)``.
    public var id: String
    /// 64 random bits, new with every process and with every ZooKeeper session, kept across changes of weight.
    public var boot: UInt64
    /// 64 random bits that name its store of copies; kept as long as the store has all that it ever acknowledged, also in the next session.
    /// 0 for a member that keeps nothing beyond a boot.
    public var lineage: UInt64
    /// What its disk promises; `nil` where its copies end with the process. What a later version says and this one does not know counts as
    /// the less: the copies may come back, and are not safe from a machine that goes down.
    public var disk: StoreDurability?
    /// Its share of the ring; 0 makes it a pure router and edge.
    public var weight: UInt16
    /// Where it runs, for people; placement does not look at it yet.
    public var zone: String?
    /// The version of the link protocol that it speaks.
    public var protocolVersion: Int
    /// "host:port" for the sockets of clients.
    public var client: String
    /// "host:port" for producers and operators.
    public var api: String
    /// "host:port" for links from other nodes.
    public var link: String
    /// Who had the id before, and is not known to be gone: at most ``formerMax``, the newest last.
    public var former: [Former] = []

    /// So many of those that had the id before are named; of more, the oldest are forgotten.
    public static let formerMax = 4

    /// A member with all it announces. The id is checked where it comes from outside, not here.
    public init(
        id: String, boot: UInt64, lineage: UInt64 = 0, disk: StoreDurability? = nil, weight: UInt16, zone: String? = nil,
        protocolVersion: Int, client: String, api: String, link: String
    ) {
        self.id = id
        self.boot = boot
        self.lineage = lineage
        self.disk = disk
        self.weight = weight
        self.zone = zone
        self.protocolVersion = protocolVersion
        self.client = client
        self.api = api
        self.link = link
    }

    /// Who this is, without what it announces.
    public var identity: MemberIdentity { MemberIdentity(id: id, boot: boot) }

    /// Whose its copies are: its lineage's, or its boot's where it keeps nothing beyond that.
    public var keeper: UInt64 { lineage == 0 ? boot : lineage }

    /// The same member as the ring sees it.
    public var ringMember: RingMember { RingMember(id: id, weight: weight) }

    /// The same member with another weight.
    public func with(weight: UInt16) -> Member {
        var copy = self
        copy.weight = weight
        return copy
    }

    /// Those that had the id before, as somebody to be asked who they are. Of their copies only this member's lineage is waited for.
    public var predecessors: [Member] {
        former.map { former in
            var member = self
            (member.boot, member.link, member.former) = (former.boot, former.link, [])
            (member.lineage, member.disk) = (0, nil)
            return member
        }
    }

    /// Whether both are of one store on a disk. Only one process at a time can have it open, so of two such members the earlier one is gone.
    func hasDisk(of other: Member) -> Bool {
        id == other.id && disk != nil && other.disk != nil && lineage != 0 && lineage == other.lineage
    }

    /// The same member in the place of an entry of the roster that names another one: whoever that names may still act, and stays named.
    public func replacing(_ entry: Member) -> Member {
        var copy = self
        let strangers = (entry.former + [Former(boot: entry.boot, link: entry.link)]).filter { $0.boot != boot }
        copy.former = Array((former.filter { !strangers.contains($0) } + strangers).suffix(Self.formerMax))
        return copy
    }

    /// The content of the member's znode.
    public func json() -> [UInt8] { DocumentJSON.encode(self) }

    /// Reads a member's znode.
    ///
    /// - Parameters:
    ///   - json: the znode's content.
    ///   - znode: its full path; the last part must be the member's id.
    /// - Throws: ``DocumentError``, which names the znode.
    public init(json: [UInt8], znode: String) throws(DocumentError) {
        self = try DocumentJSON.decode(Member.self, from: json, bytesMax: Self.jsonBytesMax, znode: znode)
        if let reason = fault(name: znode.split(separator: "/").last.map(String.init) ?? "") {
            throw DocumentError(znode: znode, reason: reason)
        }
    }

    /// Reads a member that a peer tells of.
    ///
    /// - Throws: ``DocumentError``, as for the znode.
    public init(json: [UInt8]) throws(DocumentError) {
        let source = "a peer's member"
        self = try DocumentJSON.decode(Member.self, from: json, bytesMax: Self.jsonBytesMax, znode: source)
        if let reason = fault(name: id) { throw DocumentError(znode: source, reason: reason) }
    }

    private func fault(name: String) -> String? {
        do throws(NodeIDError) { try NodeID.check(id) } catch { return "is no member: \(error.message)" }
        if id != name { return "holds the member \"\(id)\", not the one it is named after" }
        if let zone, zone.utf8.count > Self.zoneBytesMax { return "names a zone of more than \(Self.zoneBytesMax) bytes" }
        for (key, address) in [("client", client), ("api", api), ("link", link)] where !Self.isAddress(address) {
            return "has no usable address \"\(key)\": expected host:port in at most \(Self.addressBytesMax) bytes"
        }
        if former.count > Self.formerMax || !former.allSatisfy({ Self.isAddress($0.link) }) {
            return "names more than \(Self.formerMax) former boots, or one without a usable address"
        }
        return nil
    }

    private static func isAddress(_ text: String) -> Bool {
        guard text.utf8.count <= addressBytesMax, let colon = text.lastIndex(of: ":"), colon > text.startIndex else { return false }
        guard let port = UInt16(text[text.index(after: colon)...]) else { return false }
        return port > 0
    }
}

extension Member: Codable {
    private enum CodingKeys: String, CodingKey {
        case id, boot, lineage, disk, weight, zone, client, api, link, former
        case protocolVersion = "protocol"
    }

    /// Reads the JSON form that the file's head describes.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        id = try values.decode(String.self, forKey: .id)
        boot = try values.decode(HexadecimalWord.self, forKey: .boot).word
        lineage = try values.decodeIfPresent(HexadecimalWord.self, forKey: .lineage)?.word ?? 0
        disk = Self.disk(in: values)
        weight = try values.decode(UInt16.self, forKey: .weight)
        zone = try values.decodeIfPresent(String.self, forKey: .zone)
        protocolVersion = try values.decode(Int.self, forKey: .protocolVersion)
        client = try values.decode(String.self, forKey: .client)
        api = try values.decode(String.self, forKey: .api)
        link = try values.decode(String.self, forKey: .link)
        former = try values.decodeIfPresent([Former].self, forKey: .former) ?? []
    }

    private static func disk(in values: KeyedDecodingContainer<CodingKeys>) -> StoreDurability? {
        // A value that can't be looked at is one of a later version.
        guard values.contains(.disk), (try? values.decodeNil(forKey: .disk)) != true else { return nil }
        return (try? values.decode(String.self, forKey: .disk)).flatMap(StoreDurability.init(rawValue:)) ?? .written
    }

    /// Writes the JSON form that the file's head describes.
    public func encode(to encoder: any Encoder) throws {
        var values = encoder.container(keyedBy: CodingKeys.self)
        try values.encode(id, forKey: .id)
        try values.encode(HexadecimalWord(word: boot), forKey: .boot)
        if lineage != 0 { try values.encode(HexadecimalWord(word: lineage), forKey: .lineage) }
        try values.encodeIfPresent(disk?.rawValue, forKey: .disk)
        try values.encode(weight, forKey: .weight)
        try values.encodeIfPresent(zone, forKey: .zone)
        try values.encode(protocolVersion, forKey: .protocolVersion)
        try values.encode(client, forKey: .client)
        try values.encode(api, forKey: .api)
        try values.encode(link, forKey: .link)
        if !former.isEmpty { try values.encode(former, forKey: .former) }
    }
}

extension Member {
    /// An earlier boot of the same id, in another process, which may still believe that it may act.
    public struct Former: Hashable, Codable, Sendable {
        /// Its boot.
        public let boot: UInt64
        /// Where it can be asked who it is.
        public let link: String

        /// A boot and its link address.
        public init(boot: UInt64, link: String) {
            self.boot = boot
            self.link = link
        }

        private enum CodingKeys: String, CodingKey { case boot, link }

        /// Reads the JSON form.
        public init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: CodingKeys.self)
            boot = try values.decode(HexadecimalWord.self, forKey: .boot).word
            link = try values.decode(String.self, forKey: .link)
        }

        /// Writes the JSON form.
        public func encode(to encoder: any Encoder) throws {
            var values = encoder.container(keyedBy: CodingKeys.self)
            try values.encode(HexadecimalWord(word: boot), forKey: .boot)
            try values.encode(link, forKey: .link)
        }
    }
}

/// Who a member is. Another boot is a leave and a join, even where the ring stays equal.
public struct MemberIdentity: Hashable, Sendable, CustomStringConvertible {
    /// The node's id.
    public let id: String
    /// Which life of the node this is.
    public let boot: UInt64

    /// One life of one node.
    public init(id: String, boot: UInt64) {
        self.id = id
        self.boot = boot
    }

    /// `id` and the boot in hexadecimal digits.
    public var description: String { "\(id) (boot \(boot.hexadecimal))" }
}
