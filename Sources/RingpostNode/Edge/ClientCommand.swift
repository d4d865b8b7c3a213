// What a client says on its WebSocket: {"subscribe":["a",{"channel":"b","since":"…"}]}, {"unsubscribe":["a"]} or
// {"publish":{"channel":"a","data":…},"ref":7}, whose object is that of a batch's line.
import FoundationEssentials
import HashRing
import NIOCore
import RingpostCore
import RingpostWire

enum ClientCommand {
    /// A channel, and where to begin: a cursor or "earliest"; with the next message unless given. With who comes and goes, if wanted.
    struct Subscription: Decodable {
        let channel: String
        let since: String?
        let presence: Bool

        private enum CodingKeys: CodingKey { case channel, since, presence }

        init(from decoder: any Decoder) throws {
            if let name = try? decoder.singleValueContainer().decode(String.self) {
                channel = name
                since = nil
                presence = false
                return
            }
            let container = try decoder.container(keyedBy: CodingKeys.self)
            channel = try container.decode(String.self, forKey: .channel)
            since = try container.decodeIfPresent(String.self, forKey: .since)
            presence = try container.decodeIfPresent(Bool.self, forKey: .presence) ?? false
        }
    }

    case subscribe([Subscription])
    case unsubscribe([String])
    /// With how the client names it in the answer, as JSON; the problem is the message's.
    case publish(Result<PublishRequest, ProblemReport>, reference: [UInt8]?)

    /// A reference is repeated in the answer, so it is short.
    static let referenceBytesMax = 64

    init(_ text: ByteBuffer, hasher: KeyHasher, payloadBytesMax: Int) throws(ProblemReport) {
        let json = Array(text.readableBytesView)
        guard JSONText.isValid(json), let members = JSONObject.members(of: json) else { throw ProblemReport(.badJSON, Self.usage) }
        func value(_ name: String) -> [UInt8]? { members[name].map { Array(json[$0]) } }
        switch (value("subscribe"), value("unsubscribe"), value("publish")) {
        case (let wishes?, nil, nil): self = .subscribe(try Self.decode([Subscription].self, wishes))
        case (nil, let names?, nil): self = .unsubscribe(try Self.decode([String].self, names))
        case (nil, nil, let message?):
            let reference = value("ref")
            if let reference, reference.count > Self.referenceBytesMax {
                throw ProblemReport(.badParameter, "\"ref\" has \(reference.count) bytes; at most \(Self.referenceBytesMax) are repeated")
            }
            do throws(ProblemReport) {
                let line = try BatchLine(message, hasher: hasher, payloadBytesMax: payloadBytesMax)
                self = .publish(.success(line.request), reference: reference)
            } catch {
                self = .publish(.failure(error), reference: reference)
            }
        default: throw ProblemReport(.badParameter, Self.usage)
        }
    }

    private static func decode<Value: Decodable>(_ type: Value.Type, _ json: [UInt8]) throws(ProblemReport) -> Value {
        do { return try JSONDecoder().decode(type, from: Data(json)) } catch { throw ProblemReport(.badJSON, usage) }
    }

    private static let usage =
        #"say {"subscribe":["channel",…]}, {"unsubscribe":["channel",…]} or {"publish":{"channel":"…","data":…}}"#
}
