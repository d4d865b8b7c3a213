// A subscriber's event stream: a response that never ends, over the shared HTTP client, read as it is asked for.
import AsyncHTTPClient
import NIOCore
import NIOHTTP1
import NIOPosix
import RingpostWire

final class EventStreamConnection: SubscriberConnection {
    private var body: HTTPClientResponse.Body.AsyncIterator
    private var decoder = EventStreamDecoder(eventBytesMax: Subscriber.messageBytesMax)
    private var arrived = ByteBuffer()

    private init(_ response: HTTPClientResponse) { body = response.body.makeAsyncIterator() }

    /// - Parameter isResuming: says `since` as browsers do, in Last-Event-ID; at first it stands in the query.
    nonisolated(nonsending) static func open(
        _ access: Access, query subscriptions: String, since: String?, isResuming: Bool
    ) async throws(Disconnect) -> EventStreamConnection {
        let query = since.map { isResuming ? "" : "&since=\($0.percentEncoded)" } ?? ""
        var request = HTTPClientRequest(url: "\(access.url.url)/v1/sse?\(subscriptions)\(query)")
        request.headers.add(contentsOf: access.headers)
        request.headers.add(name: "Accept", value: "text/event-stream")
        if let since, isResuming { request.headers.add(name: "Last-Event-ID", value: since) }
        let response: HTTPClientResponse
        do { response = try await access.trust.store.http.execute(request, deadline: .distantFuture) } catch {
            throw Disconnect(access.url, error)
        }
        if response.status != .ok { throw await Disconnect.refusal(response) }
        return EventStreamConnection(response)
    }

    /// A request that is under way can't take it; the next one is the next connection's.
    func present(_ token: String) {}

    nonisolated(nonsending) func next() async throws(Disconnect) -> [StreamItem] {
        while true {
            let items = try decode()
            if !items.isEmpty { return items }
            let chunk: ByteBuffer?
            do { chunk = try await body.next(isolation: #isolation) } catch { throw Disconnect("the stream broke: \(error)") }
            guard var chunk else { throw Disconnect("the stream ended without a goodbye") }
            arrived.discardReadBytes()
            arrived.writeBuffer(&chunk)
        }
    }

    private func decode() throws(Disconnect) -> [StreamItem] {
        var items: [StreamItem] = []
        do throws(EventStreamError) {
            while let item = try decoder.next(&arrived) {
                switch item {
                case .retry(let milliseconds): items.append(.retry(milliseconds: milliseconds))
                case .event(let type, let data, let id):
                    // Before what it belongs to: whoever has that resumes behind it.
                    if !id.isEmpty { items.append(.resume(id)) }
                    if let item = Self.item(type, data) { items.append(item) }
                }
            }
        } catch {
            throw Disconnect("the stream can't be read: \(error)")
        }
        return items
    }

    private static func item(_ type: String, _ data: [UInt8]) -> StreamItem? {
        data.withUnsafeBytes { bytes in
            if type == "close" { return .readClose(bytes) }
            return .read(bytes, event: type == "message" ? nil : type)
        }
    }
}

extension Disconnect {
    /// A request that has no answer.
    init(_ url: Endpoint, _ error: any Error) {
        if let sentence = TLSFailure.sentence(error, at: url.url) {
            self.init(sentence)
            return
        }
        let isUnreachable = error is NIOConnectionError || error is IOError || error as? HTTPClientError == .connectTimeout
        // A port that waits for a request in plain text never answers TLS.
        let nothing = url.isTLS ? "nothing that speaks TLS" : "nothing"
        self.init(isUnreachable ? "\(nothing) answers at \(url.url): is a node running there?" : "no answer from \(url.url): \(error)")
    }

    /// An error document is short; what is longer isn't read.
    private static let errorBytesMax = 65_536

    /// Why a request was refused, in the node's own words.
    static func refusal(_ response: HTTPClientResponse) async -> Disconnect {
        let body = try? await response.body.collect(upTo: errorBytesMax)
        return Disconnect(
            status: Int(response.status.code), retryAfter: response.headers.first(name: "Retry-After"),
            body: body.map { Array($0.readableBytesView) } ?? [])
    }
}
