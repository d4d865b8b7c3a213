// What clients and producers write, and what each of them is told when it can't be read.
import HashRing
import NIOCore
import RingpostCore
import RingpostWire
import Testing

@Suite struct ClientCommandTests {
    private let hasher: KeyHasher

    init() throws { hasher = KeyHasher(seed: try #require(SipKey(bytes: [UInt8](repeating: 7, count: 16)))) }

    private func read(_ json: String) -> String {
        do throws(ProblemReport) {
            switch try ClientCommand(ByteBuffer(string: json), hasher: hasher, payloadBytesMax: 20) {
            case .subscribe(let wishes):
                return "subscribe " + wishes.map { "\($0.channel)@\($0.since ?? "-")\($0.presence ? "+" : "")" }.joined(separator: " ")
            case .unsubscribe(let names): return "unsubscribe " + names.joined(separator: " ")
            case .publish(.success(let request), let reference): return "publish \(line(request)) \(reference.map(text) ?? "-")"
            case .publish(.failure(let report), let reference): return "\(report.problem.code) \(reference.map(text) ?? "-")"
            case .token(let token): return "token \(token)"
            }
        } catch {
            return error.problem.code
        }
    }

    private func line(_ request: PublishRequest) -> String {
        let timeToLive = request.timeToLive.map(String.init) ?? "-"
        return "\(request.key.kind) \(request.key.text) \(text(request.data)) '\(text(request.idempotencyKey))' \(timeToLive)"
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test func commands() {
        #expect(
            read(#"{"subscribe":["a",{"channel":"b","since":"earliest","presence":true},{"channel":"c"}]}"#)
                == "subscribe a@- b@earliest+ c@-")
        #expect(read(#"{"subscribe":[]}"#) == "subscribe ")
        #expect(read(#"{"unsubscribe":["a","\u0062"]}"#) == "unsubscribe a b")
        #expect(read(#"{"publish":{"channel":"a","data":{"x": 1}},"ref":[7]}"#) == #"publish channel a {"x": 1} '' - [7]"#)
        #expect(
            read(#"{"publish":{"user":"u","data":1,"ttl":5,"idempotencyKey":"k"}}"#) == "publish user u 1 'k' 5 -")
        #expect(read(#"{"token":"a.b.c"}"#) == "token a.b.c")
    }

    @Test(arguments: [
        ("", "bad_json"), ("[]", "bad_json"), ("{", "bad_json"), ("{}", "bad_parameter"), (#"{"subscribe":"a"}"#, "bad_json"),
        (#"{"subscribe":[1]}"#, "bad_json"), (#"{"subscribe":[{"channel":1}]}"#, "bad_json"), (#"{"subscribe":[{}]}"#, "bad_json"),
        (#"{"subscribe":[{"channel":"a","since":5}]}"#, "bad_json"), (#"{"subscribe":[{"channel":"a","presence":1}]}"#, "bad_json"),
        (#"{"unsubscribe":[{"channel":"a"}]}"#, "bad_json"), (#"{"unsubscribe":null}"#, "bad_json"),
        (#"{"subscribe":["a"],"unsubscribe":["b"]}"#, "bad_parameter"), (#"{"subscribe":["a"],"token":"b"}"#, "bad_parameter"),
        (#"{"publish":1}"#, "bad_json -"), (#"{"publish":{"data":1},"ref":7}"#, "bad_name 7"),
        (#"{"publish":{"user":"a","channel":"b","data":1}}"#, "bad_name -"), (#"{"publish":{"user":5,"data":1}}"#, "bad_name -"),
        (#"{"publish":{"user":"a"}}"#, "bad_parameter -"), (#"{"publish":{"user":"a","data":1,"ttl":"5"}}"#, "bad_parameter -"),
        (#"{"publish":{"user":"a","data":1,"ttl":-1}}"#, "bad_parameter -"), (#"{"publish":{"user":"\u0000","data":1}}"#, "bad_name -"),
        (#"{"publish":{"user":"a","data":1,"idempotencyKey":5}}"#, "bad_parameter -"),
        (#"{"publish":{"user":"a","data":"0123456789012345678"}}"#, "too_large -"),
        (#"{"token":""}"#, "bad_parameter"), (#"{"token":null}"#, "bad_json"), (#"{"token":["a"]}"#, "bad_json"),
    ])
    func refusals(json: String, answer: String) {
        #expect(read(json) == answer)
    }

    @Test func bounds() {
        let most = String(repeating: "a", count: ClientCommand.tokenBytesMax)
        #expect(read("{\"token\":\"\(most)\"}") == "token \(most)")
        #expect(read("{\"token\":\"\(most)a\"}") == "too_large")
        let reference = String(repeating: "1", count: ClientCommand.referenceBytesMax)
        #expect(read("{\"publish\":{\"user\":\"a\",\"data\":1},\"ref\":\(reference)}") == "publish user a 1 '' - \(reference)")
        #expect(read("{\"publish\":{\"user\":\"a\",\"data\":1},\"ref\":\(reference)1}") == "bad_parameter")
    }
}
