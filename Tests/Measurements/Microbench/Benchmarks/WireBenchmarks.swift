// The codecs of clients' and producers' bytes.
import NIOCore
import RingpostCore
import RingpostWire

enum WireBenchmarks {
    static var all: [Benchmark] {
        [parseRequest, writeResponse, encodeFrame, decodeFrame, encodeEvent, readCommand, checkJSON, quoteJSON, writeCursor, readCursor]
    }

    /// What is done at once, as much as one read may bring.
    private static let batch = 64

    static let request: [UInt8] =
        Array(
            "POST /v1/users/user-0000000100042/messages HTTP/1.1\r\nHost: 127.0.0.1:8081\r\nContent-Type: application/json\r\n".utf8)
        + Array("Content-Length: 128\r\n\r\n".utf8) + Samples.payload128

    private static var parseRequest: Benchmark {
        Benchmark("http.parse.publish", operations: batch) {
            let pipelined = ByteBuffer(bytes: Array(repeatElement(request, count: batch).joined()))
            var parser = HTTPRequestParser()
            return {
                var input = pipelined
                var requests = 0
                do {
                    while let part = try parser.next(&input) { if case .end = part { requests += 1 } }
                } catch { preconditionFailure("\(error)") }
                precondition(requests == batch, "\(requests) requests were read of \(batch)")
            }
        }
    }

    private static var writeResponse: Benchmark {
        Benchmark("http.write.receipt", operations: batch) {
            var output = ByteBuffer()
            let date = HTTPDate(seconds: 1_000_000_000)
            let body = Samples.payload(160)
            return {
                output.clear()
                for _ in 0..<batch { HTTPResponseWriter.writeJSON(body, date: date, into: &output) }
                use(output.readableBytes)
            }
        }
    }

    private static var encodeFrame: Benchmark {
        Benchmark("websocket.encode", operations: batch) {
            var output = ByteBuffer()
            return {
                output.clear()
                for _ in 0..<batch { WebSocketEncoder.writeText(Samples.message.envelope, into: &output) }
                use(output.readableBytes)
            }
        }
    }

    private static var decodeFrame: Benchmark {
        Benchmark("websocket.decode", operations: batch) {
            var frames = ByteBuffer()
            for number in 0..<batch {
                WebSocketEncoder.writeMasked(.text, ByteBuffer(bytes: Samples.payload128), maskKey: UInt32(number), into: &frames)
            }
            var decoder = WebSocketDecoder(role: .server)
            return {
                var input = frames
                var texts = 0
                do {
                    while let event = try decoder.next(&input) { if case .text = event { texts += 1 } }
                } catch { preconditionFailure("\(error)") }
                precondition(texts == batch, "\(texts) frames were read of \(batch)")
            }
        }
    }

    private static var encodeEvent: Benchmark {
        Benchmark("eventstream.encode", operations: batch) {
            var output = ByteBuffer()
            let id = Array("0123456789abcdef-1042".utf8)
            return {
                output.clear()
                for _ in 0..<batch { EventStreamEncoder.writeEvent(id: id, data: Samples.message.envelope, into: &output) }
                use(output.readableBytes)
            }
        }
    }

    private static var readCommand: Benchmark {
        Benchmark("client.readPublish", operations: batch) {
            let text = ByteBuffer(
                bytes: Array(#"{"publish":{"channel":"game:42","data":"#.utf8) + Samples.payload128 + Array(#"},"ref":17}"#.utf8))
            return {
                for _ in 0..<batch {
                    use(try? ClientCommand(text, hasher: Samples.hasher, payloadBytesMax: 65_536))
                }
            }
        }
    }

    private static var checkJSON: Benchmark {
        Benchmark("json.check", operations: batch) {
            { for _ in 0..<batch { use(JSONText.isValid(Samples.payload128)) } }
        }
    }

    private static var quoteJSON: Benchmark {
        Benchmark("json.quote", operations: batch) {
            var output: [UInt8] = []
            return {
                output.removeAll(keepingCapacity: true)
                for _ in 0..<batch { Samples.payload128.withUnsafeBytes { JSONText.appendQuoted($0, to: &output) } }
                use(output.count)
            }
        }
    }

    private static var writeCursor: Benchmark {
        Benchmark("cursor.write", operations: batch) {
            var output: [UInt8] = []
            return {
                output.removeAll(keepingCapacity: true)
                for number in 0..<batch { Cursor(incarnation: 0xDEAD_BEEF, sequence: UInt64(number + 1_000)).append(to: &output) }
                use(output.count)
            }
        }
    }

    private static var readCursor: Benchmark {
        Benchmark("cursor.read", operations: batch) {
            let text = Array("0123456789abcdef-1042".utf8)
            return { for _ in 0..<batch { use(Cursor(text: text)) } }
        }
    }
}
