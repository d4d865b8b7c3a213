// A subscriber without a connection of its own: one request after the other, each from the cursor of the last answer.
// With a wait it is a long poll, without one plain polling.
import AsyncHTTPClient
import NIOCore
import NIOHTTP1

final class PollConnection: SubscriberConnection {
    /// An answer takes at most so long beyond the wait.
    static let answerSecondsMax: Int64 = 10
    /// One answer's messages together; a node sends less and lets the client come again.
    static let answerBytesMax = 32 * 1_024 * 1_024

    private var access: Access
    private let subscriptions: String
    private let waitSeconds: Int64
    private let pauseMilliseconds: Int64
    private var cursor: String?
    private var isFirst = true
    private var wasEmpty = false

    init(_ access: Access, query subscriptions: String, since: String?, waitSeconds: Int64, pauseMilliseconds: Int64) {
        self.access = access
        self.subscriptions = subscriptions
        self.waitSeconds = waitSeconds
        self.pauseMilliseconds = pauseMilliseconds
        cursor = since
    }

    func present(_ token: String) { access.credential = token }

    nonisolated(nonsending) func next() async throws(Disconnect) -> [StreamItem] {
        while true {
            if wasEmpty, pauseMilliseconds > 0 {
                do { try await Task.sleep(for: .milliseconds(pauseMilliseconds)) } catch { throw Disconnect("cancelled") }
            }
            let answer = try await ask()
            let items = answer.items(isFirst: isFirst)
            isFirst = false
            wasEmpty = answer.messages.isEmpty
            cursor = answer.cursor
            if items.count > 1 { return items }
        }
    }

    private nonisolated(nonsending) func ask() async throws(Disconnect) -> PollAnswer {
        // The first question doesn't wait: its answer says where the client stands, which somebody may wait for.
        let wait = isFirst ? 0 : waitSeconds
        let since = cursor.map { "&since=\($0.percentEncoded)" } ?? ""
        var request = HTTPClientRequest(url: "\(access.url.url)/v1/poll?\(subscriptions)\(since)&wait=\(wait)")
        request.headers.add(contentsOf: access.headers)
        let body: ByteBuffer
        do {
            let response = try await access.trust.store.http.execute(
                request, timeout: .seconds(wait + Self.answerSecondsMax))
            if response.status != .ok { throw await Disconnect.refusal(response) }
            body = try await response.body.collect(upTo: Self.answerBytesMax)
        } catch let disconnect as Disconnect {
            throw disconnect
        } catch {
            throw Disconnect(access.url, error)
        }
        guard let answer = body.withUnsafeReadableBytes(PollAnswer.init) else { throw Disconnect("the poll's answer can't be read") }
        return answer
    }
}
