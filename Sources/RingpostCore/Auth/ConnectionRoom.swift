// Which connections a node takes on its client and API ports, before anything is known of them but where they come from: so many in all, of
// which clients leave some to the API port, and so many from one source address. When clients have filled the node, operators still get in.

/// Counts the open connections of a node.
public struct ConnectionRoom: Sendable {
    /// Connections of each port beyond the bound that may ask how the node is.
    public static let singlesMax = 32
    /// Of so many connections one is the API port's alone.
    static let reserveShare = 8
    /// And not more than so many.
    static let reserveMax = 256
    /// What one address may have where nobody has said it, unless half of all is less.
    static let perAddressDefault = 4_096

    /// Where a connection has come in.
    public enum Port: Sendable, CaseIterable {
        case client
        case api
    }

    /// What a new connection may do.
    public enum Answer: Equatable, Sendable {
        case open
        /// Ask once how the node is: whoever watches a full node must not take it for a dead one.
        case single
        /// Nothing: there are as many as there may be, of all or of its address.
        case refused(Limit)
    }

    /// What is counted for a connection, to be given back with ``ConnectionRoom/close(_:)``.
    public struct Place: Equatable, Sendable {
        /// Whom it counts for; `nil` for nobody.
        public let source: SourceAddress?
        let port: Port
        let isSingle: Bool
    }

    private let max: Int
    /// Places that clients leave to the API port.
    public let reserve: Int
    private var sources: AddressCounts
    private var (clients, api) = (0, 0)
    private var (clientSingles, apiSingles) = (0, 0)

    /// - Parameters:
    ///   - max: on both ports together.
    ///   - perAddress: from one source address; half of all, 4,096 at most, unless given.
    public init(max: Int, perAddress: Int?) {
        self.max = max
        reserve = Swift.min(Self.reserveMax, max / Self.reserveShare)
        let most = perAddress ?? Swift.max(1, Swift.min(Self.perAddressDefault, max / 2))
        // A site has many networks, but does not take all there is.
        let (site, overflows) = most.multipliedReportingOverflow(by: AddressCounts.siteFactor)
        let all = Swift.max(most, max / 4 * 3)
        sources = AddressCounts(perAddress: most, perSite: overflows ? all : Swift.min(site, all))
    }

    /// All open ones.
    public var count: Int { clients + api + clientSingles + apiSingles }

    /// One more; its place, unless it is refused.
    public mutating func open(_ port: Port, from source: SourceAddress?) -> (answer: Answer, place: Place?) {
        if let source, !sources.hasRoom(for: source) { return (.refused(.connectionsPerAddress), nil) }
        let isSingle = port == .client ? clients + Swift.max(api, reserve) >= max : clients + api >= max
        if isSingle, self[singlesOf: port] >= Self.singlesMax { return (.refused(.connections), nil) }
        if let source { _ = sources.open(source) }
        if isSingle { self[singlesOf: port] += 1 } else { self[openOf: port] += 1 }
        return (isSingle ? .single : .open, Place(source: source, port: port, isSingle: isSingle))
    }

    /// A proxy has said whom a connection is for that has counted for nobody; `nil` if that one has as many as it may.
    public mutating func name(_ place: Place, _ source: SourceAddress) -> Place? {
        guard place.source == nil else { return place }
        guard sources.open(source) else { return nil }
        return Place(source: source, port: place.port, isSingle: place.isSingle)
    }

    /// A connection has gone.
    public mutating func close(_ place: Place) {
        if let source = place.source { sources.close(source) }
        if place.isSingle { self[singlesOf: place.port] -= 1 } else { self[openOf: place.port] -= 1 }
    }

    private subscript(openOf port: Port) -> Int {
        get { port == .client ? clients : api }
        set { if port == .client { clients = newValue } else { api = newValue } }
    }

    private subscript(singlesOf port: Port) -> Int {
        get { port == .client ? clientSingles : apiSingles }
        set { if port == .client { clientSingles = newValue } else { apiSingles = newValue } }
    }
}
