// One line of a batch: {"user":"alice","data":…,"idempotencyKey":"…","ttl":60}, or with "channel" in place of "user"; also what a client
// publishes. The data travels as the bytes that the producer wrote, so the line is not decoded as a whole.
import HashRing
import RingpostCore

/// One message of a batch.
package struct BatchLine: Sendable {
    /// Bytes that a line may have besides its payload: names and keys whose characters are all escaped, and white space.
    package static let overheadBytesMax = 16_384

    /// What it asks for.
    package let request: PublishRequest

    /// Reads a line.
    ///
    /// - Throws: a problem for whoever wrote it.
    package init(_ line: [UInt8], hasher: KeyHasher, payloadBytesMax: Int) throws(ProblemReport) {
        let object: JSONObject
        // The object around the payload is a level of its own.
        do throws(JSONFault) { object = try JSONObject(line, depthMax: JSONText.nestingMax + 1) } catch {
            throw ProblemReport(.badJSON, error.message)
        }
        let (kind, name) = try Self.target(object)
        guard let data = object["data"] else { throw ProblemReport(.badParameter, "\"data\" is missing") }
        if data.count > payloadBytesMax {
            throw ProblemReport(.tooLarge, "the payload has \(data.count) bytes; at most \(payloadBytesMax) are taken")
        }
        var idempotencyKey: [UInt8] = []
        if let value = object["idempotencyKey"] {
            guard let text = JSONText.unquoted(value) else { throw ProblemReport(.badParameter, "\"idempotencyKey\" must be a string") }
            idempotencyKey = text
        }
        let timeToLive = try PublishRequest.timeToLive(object["ttl"].map { String(decoding: $0, as: UTF8.self) })
        request = PublishRequest(
            key: try Key(requested: kind, name: name, hasher: hasher), data: JSONText.compactLineBreaks(Array(data)),
            idempotencyKey: idempotencyKey, timeToLive: timeToLive)
    }

    private static func target(_ object: JSONObject) throws(ProblemReport) -> (KeyKind, [UInt8]) {
        switch (object["user"], object["channel"]) {
        case (let user?, nil):
            if let name = JSONText.unquoted(user) { return (.user, name) }
            throw ProblemReport(.badName, "\"user\" must be a string")
        case (nil, let channel?):
            if let name = JSONText.unquoted(channel) { return (.channel, name) }
            throw ProblemReport(.badName, "\"channel\" must be a string")
        default: throw ProblemReport(.badName, "say for whom: \"user\" or \"channel\", a string")
        }
    }
}
