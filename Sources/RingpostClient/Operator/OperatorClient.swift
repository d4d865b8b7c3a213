// Asks nodes questions on behalf of operators. Every node answers for the whole cluster, so the first that answers will do.
import AsyncHTTPClient
import FoundationEssentials
import NIOCore
import NIOHTTP1
import RingpostCore

/// A client of the nodes' API.
public struct OperatorClient: Sendable {
    /// One question to one node takes at most so long.
    public static let timeoutMilliseconds: Int64 = 2_500
    /// A longer answer is none: a thousand members take half a MiB, a page of messages 256 KiB and its last, largest message.
    public static let answerBytesMax = 4 * 1_024 * 1_024

    private let api: [Access]

    /// - Parameters:
    ///   - api: API addresses, asked in this order until one answers.
    ///   - apiKey: says what the client may do; `nil` where nodes ask nobody.
    ///   - trust: whom to believe to be a node, at `https://` addresses.
    public init(api: [Endpoint], apiKey: String? = nil, trust: TrustRoots = .system) {
        self.api = api.map { Access($0, trust: trust, credential: apiKey) }
    }

    /// The ring and its members.
    public func ring() async throws(OperatorError) -> RingReport { try Self.decode(await get("/v1/ring")) }

    /// The members.
    public func nodes() async throws(OperatorError) -> NodesReport { try Self.decode(await get("/v1/nodes")) }

    /// The members, with the endpoint that answered: what it names, it names without a scheme.
    func nodesAndWhoNamesThem() async throws(OperatorError) -> (NodesReport, Endpoint) {
        let (body, endpoint) = try await ask("/v1/nodes", method: .GET)
        return (try Self.decode(body), endpoint)
    }

    /// Everything about one user.
    public func user(_ user: String) async throws(OperatorError) -> UserReport { try Self.decode(await get(Self.path(user: user))) }

    /// Who listens to a channel, and where it stands.
    public func channel(_ channel: String) async throws(OperatorError) -> ChannelReport {
        try Self.decode(await get(Self.path(channel: channel)))
    }

    /// Where the questions about a channel are asked.
    public static func path(channel: String) -> String { "/v1/channels/\(channel.percentEncoded)" }

    /// Where the questions about a user are asked.
    public static func path(user: String) -> String { "/v1/users/\(user.percentEncoded)" }

    /// Tells a node to drain and leave; returns when it has heard of it.
    public func drain(_ node: String) async throws(OperatorError) {
        _ = try await ask("/v1/nodes/\(node.percentEncoded)/drain", method: .POST)
    }

    /// Gives a node a weight, which takes a drain back if it is above 0; returns when the node has heard of it.
    public func setWeight(_ weight: UInt16, of node: String) async throws(OperatorError) {
        _ = try await ask("/v1/nodes/\(node.percentEncoded)/weight", method: .POST, body: #"{"weight":\#(weight)}"#)
    }

    /// Says that a node which is no member is gone for good, so that nobody waits for it; returns when that stands in ZooKeeper.
    public func forget(_ node: String) async throws(OperatorError) {
        _ = try await ask("/v1/nodes/\(node.percentEncoded)/forget", method: .POST)
    }

    /// An answer's body as it came.
    public func get(_ path: String) async throws(OperatorError) -> [UInt8] { try await ask(path, method: .GET).body }

    /// Orders can be given twice, so they too are tried at one node after the other.
    func ask(_ path: String, method: HTTPMethod, body: String? = nil) async throws(OperatorError) -> (body: [UInt8], from: Endpoint) {
        var reasons: [String] = []
        for access in api {
            let endpoint = access.url
            do {
                return (try await Self.ask(access, path, method: method, body: body), endpoint)
            } catch let error as OperatorError {
                // 503 and the like may be this node's trouble only.
                guard case .refused(let status, _, let message) = error, status >= 500 else { throw error }
                reasons.append("\(endpoint.url) answers HTTP \(status): \(message)")
            } catch {
                let sentence = TLSFailure.sentence(error, at: endpoint.url)
                reasons.append(sentence ?? "nothing answers at \(endpoint.url): is a node running there? (ringpost node)")
            }
        }
        throw .unreachable(reasons)
    }

    /// Reads a document; a public way in for callers that keep the bytes too.
    public static func decode<Report: Decodable>(_ body: [UInt8]) throws(OperatorError) -> Report {
        do { return try JSONDecoder().decode(Report.self, from: Data(body)) } catch { throw .unreadable(DecodingError.sentence(error)) }
    }

    private static func ask(_ access: Access, _ path: String, method: HTTPMethod, body: String?) async throws -> [UInt8] {
        if let credential = access.credential, !Credential.isFit(credential) {
            throw OperatorError.refused(status: 401, code: "unauthorized", message: "an API key is printable ASCII without spaces")
        }
        var request = HTTPClientRequest(url: access.url.url + path)
        request.method = method
        request.headers.add(contentsOf: access.headers)
        if let body {
            request.headers.add(name: "Content-Type", value: "application/json")
            request.body = .bytes(ByteBuffer(string: body))
        }
        let response = try await access.trust.store.http.execute(request, timeout: .milliseconds(timeoutMilliseconds))
        let bytes = Array(try await response.body.collect(upTo: answerBytesMax).readableBytesView)
        if response.status == .ok || response.status == .accepted { return bytes }
        let document: ErrorDocument? = try? decode(bytes)
        throw OperatorError.refused(
            status: Int(response.status.code), code: document?.error.code ?? "http_\(response.status.code)",
            message: document?.error.message ?? response.status.reasonPhrase)
    }
}
