// What a client says on its WebSocket: {"subscribe":["a",{"channel":"b","since":"…"}]} or {"unsubscribe":["a"]}.
import FoundationEssentials
import NIOCore
import RingpostCore

enum ClientCommand {
    /// A channel, and where to begin: a cursor or "earliest"; with the next message unless given.
    struct Subscription: Decodable {
        let channel: String
        let since: String?

        private enum CodingKeys: CodingKey { case channel, since }

        init(from decoder: any Decoder) throws {
            if let name = try? decoder.singleValueContainer().decode(String.self) {
                channel = name
                since = nil
                return
            }
            let container = try decoder.container(keyedBy: CodingKeys.self)
            channel = try container.decode(String.self, forKey: .channel)
            since = try container.decodeIfPresent(String.self, forKey: .since)
        }
    }

    private struct Document: Decodable {
        var subscribe: [Subscription]?
        var unsubscribe: [String]?
    }

    case subscribe([Subscription])
    case unsubscribe([String])

    init(_ text: ByteBuffer) throws(ProblemReport) {
        let document: Document
        do { document = try JSONDecoder().decode(Document.self, from: Data(text.readableBytesView)) } catch {
            throw ProblemReport(.badJSON, Self.usage)
        }
        switch (document.subscribe, document.unsubscribe) {
        case (let wishes?, nil): self = .subscribe(wishes)
        case (nil, let names?): self = .unsubscribe(names)
        default: throw ProblemReport(.badParameter, Self.usage)
        }
    }

    private static let usage = #"say {"subscribe":["channel",…]} or {"unsubscribe":["channel",…]}"#
}
