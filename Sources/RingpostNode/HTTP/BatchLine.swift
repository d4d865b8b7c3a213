// One line of a batch: {"user":"alice","data":…,"idempotencyKey":"…","ttl":60}, or with "channel" in place of "user"; also what a client
// publishes. The data travels as the bytes that the producer wrote, so the line is not decoded as a whole.
import HashRing
import RingpostCore
import RingpostWire

struct BatchLine {
    let request: PublishRequest

    init(_ line: [UInt8], hasher: KeyHasher, payloadBytesMax: Int) throws(ProblemReport) {
        guard JSONText.isValid(line) else { throw ProblemReport(.badJSON, "this is not valid JSON") }
        guard let members = JSONObject.members(of: line) else { throw ProblemReport(.badJSON, "this is not a JSON object") }
        let (kind, name) = try Self.target(members, line)
        guard let data = members["data"].map({ Array(line[$0]) }) else { throw ProblemReport(.badParameter, "\"data\" is missing") }
        if data.count > payloadBytesMax {
            throw ProblemReport(.tooLarge, "the payload has \(data.count) bytes; at most \(payloadBytesMax) are taken")
        }
        var idempotencyKey = ""
        if let range = members["idempotencyKey"] {
            guard let text = JSONObject.string(line[range]) else {
                throw ProblemReport(.badParameter, "\"idempotencyKey\" must be a string")
            }
            idempotencyKey = text
        }
        var timeToLive: UInt32?
        if let range = members["ttl"] { timeToLive = try ProducerRoutes.timeToLive(String(decoding: line[range], as: UTF8.self)) }
        do throws(NameError) {
            let key = try Key(kind, name: Array(name.utf8), hasher: hasher)
            request = PublishRequest(
                key: key, data: JSONText.compactLineBreaks(data), idempotencyKey: Array(idempotencyKey.utf8), timeToLive: timeToLive)
        } catch {
            throw ProblemReport(.badName, error.message)
        }
    }

    private static func target(_ members: [String: Range<Int>], _ line: [UInt8]) throws(ProblemReport) -> (KeyKind, String) {
        switch (members["user"], members["channel"]) {
        case (let user?, nil):
            if let name = JSONObject.string(line[user]) { return (.user, name) }
            throw ProblemReport(.badName, "\"user\" must be a string")
        case (nil, let channel?):
            if let name = JSONObject.string(line[channel]) { return (.channel, name) }
            throw ProblemReport(.badName, "\"channel\" must be a string")
        default: throw ProblemReport(.badName, "say for whom: \"user\" or \"channel\", a string")
        }
    }
}
