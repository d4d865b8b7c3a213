// What a client says on its WebSocket: {"subscribe":["a",{"channel":"b","since":"…"}]}, {"unsubscribe":["a"]}, {"token":"…"} or
// {"publish":{"channel":"a","data":…},"ref":7}, whose object is that of a batch's line.
import HashRing
import NIOCore
import RingpostCore

/// One text frame of a client.
package enum ClientCommand: Sendable {
    /// A channel, and where to begin: a cursor or "earliest"; with the next message unless given. With who comes and goes, if wanted.
    package struct Subscription: Equatable, Sendable {
        /// The channel's name, not checked.
        package let channel: String
        /// Not checked either.
        package let since: String?
        /// Whether the client wants to know who comes and goes.
        package let presence: Bool

        /// `nil` when the value, which is valid JSON, says something else.
        init?(_ json: ArraySlice<UInt8>) {
            if let name = JSONText.string(json) {
                self.init(channel: name, since: nil, presence: false)
                return
            }
            guard let object = try? JSONObject(valid: json), let name = object["channel"].flatMap(JSONText.string) else { return nil }
            var since: String?
            if let value = object["since"], !value.elementsEqual("null".utf8) {
                guard let text = JSONText.string(value) else { return nil }
                since = text
            }
            switch object["presence"].map({ String(decoding: $0, as: UTF8.self) }) {
            case "true": self.init(channel: name, since: since, presence: true)
            case "false", "null", nil: self.init(channel: name, since: since, presence: false)
            default: return nil
            }
        }

        private init(channel: String, since: String?, presence: Bool) {
            self.channel = channel
            self.since = since
            self.presence = presence
        }
    }

    /// Of more than ``namesMax``, one more than that: too many for anybody.
    case subscribe([Subscription])
    case unsubscribe([String])
    /// With how the client names it in the answer, as JSON; the problem is the message's.
    case publish(Result<PublishRequest, ProblemReport>, reference: [UInt8]?)
    /// Who the client is, or still is: 1 to ``tokenBytesMax`` bytes, not looked at any further.
    case token(String)

    /// Channels that one command may name.
    package static let namesMax = ResumePoint.channelsMax
    /// A reference is repeated in the answer, so it is short.
    package static let referenceBytesMax = 64
    /// The longest token.
    package static let tokenBytesMax = TokenText.bytesMax

    /// Reads a frame.
    ///
    /// - Throws: a problem for the client, who is told and goes on.
    package init(_ text: ByteBuffer, hasher: KeyHasher, payloadBytesMax: Int) throws(ProblemReport) {
        var text = text
        JSONText.skipByteOrderMark(&text)
        let json = Array(text.readableBytesView)
        let object: JSONObject
        // Around a payload there are the command's object and the message's.
        do throws(JSONFault) { object = try JSONObject(json, depthMax: JSONText.nestingMax + 2) } catch {
            throw ProblemReport(.badJSON, "\(error.message): \(Self.usage)")
        }
        switch (object["subscribe"], object["unsubscribe"], object["publish"], object["token"]) {
        case (let wishes?, nil, nil, nil): self = .subscribe(try Self.list(wishes, Subscription.init))
        case (nil, let names?, nil, nil): self = .unsubscribe(try Self.list(names, JSONText.string))
        case (nil, nil, let message?, nil):
            let reference = object["ref"].map { Array($0) }
            if let reference, reference.count > Self.referenceBytesMax {
                throw ProblemReport(.badParameter, "\"ref\" has \(reference.count) bytes; at most \(Self.referenceBytesMax) are repeated")
            }
            do throws(ProblemReport) {
                let line = try BatchLine(Array(message), hasher: hasher, payloadBytesMax: payloadBytesMax)
                self = .publish(.success(line.request), reference: reference)
            } catch {
                self = .publish(.failure(error), reference: reference)
            }
        case (nil, nil, nil, let token?): self = .token(try Self.token(token))
        default: throw ProblemReport(.badParameter, Self.usage)
        }
    }

    private static func list<Element>(
        _ json: ArraySlice<UInt8>, _ read: (ArraySlice<UInt8>) -> Element?
    ) throws(ProblemReport) -> [Element] {
        guard let values = JSONArray.elements(of: json, countMax: namesMax) else { throw ProblemReport(.badJSON, usage) }
        var elements: [Element] = []
        for value in values {
            guard let element = read(value) else { throw ProblemReport(.badJSON, usage) }
            elements.append(element)
        }
        return elements
    }

    private static func token(_ json: ArraySlice<UInt8>) throws(ProblemReport) -> String {
        guard let token = JSONText.string(json) else { throw ProblemReport(.badJSON, usage) }
        if token.isEmpty { throw ProblemReport(.badParameter, "the token is empty") }
        if token.utf8.count > tokenBytesMax {
            throw ProblemReport(.tooLarge, "the token has \(token.utf8.count) bytes; at most \(tokenBytesMax) are taken")
        }
        return token
    }

    private static let usage =
        #"say {"subscribe":["channel",…]}, {"unsubscribe":["channel",…]}, {"publish":{"channel":"…","data":…}} or {"token":"…"}"#
}
