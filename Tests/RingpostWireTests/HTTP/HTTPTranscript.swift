// Renders what the request parser says as lines of text, one a part, so that its tests read as transcripts.

import NIOCore
import RingpostWire
import Testing

/// What a parser makes of a stream that arrives in `pieces`; the bodies' pieces joined, an error as the last line.
func httpTranscript(_ pieces: [ArraySlice<UInt8>], limits: HTTPLimits = HTTPLimits()) -> [String] {
    var parser = HTTPRequestParser(limits: limits)
    var buffer = ByteBuffer()
    var lines: [String] = []
    var body = ""
    for piece in pieces {
        buffer.writeBytes(piece)
        do throws(HTTPRequestError) {
            while let part = try parser.next(&buffer) {
                switch part {
                case .head(let head): lines.append(line(head))
                case .body(let bytes): body += String(buffer: bytes)
                case .end:
                    lines.append(body.isEmpty ? "end" : "\(body) end")
                    body = ""
                }
            }
        } catch {
            return lines + ["\(error.status) \(error.code)"]
        }
    }
    return body.isEmpty ? lines : lines + [body]
}

/// The same for every way of cutting `text`.
func httpTranscript(
    _ text: String, limits: HTTPLimits = HTTPLimits(), sourceLocation: SourceLocation = #_sourceLocation
) -> [String] {
    sameForEveryCutting(Array(text.utf8), sourceLocation: sourceLocation) { httpTranscript($0, limits: limits) }
}

/// The only head in `text`, parsed at once; nil if it is refused or not complete.
func httpHead(_ text: String) -> HTTPRequestHead? {
    var parser = HTTPRequestParser()
    var buffer = ByteBuffer(string: text)
    guard case .head(let head) = try? parser.next(&buffer) else { return nil }
    return head
}

private func line(_ head: HTTPRequestHead) -> String {
    let query = head.query.map { "?" + String(decoding: $0, as: UTF8.self) } ?? ""
    let flags = [head.keepAlive ? "keep" : "close", head.expectsContinue ? "continue" : nil].compactMap { $0 }.joined(separator: ",")
    return "\(head.methodText) \(head.pathText)\(query) 1.\(head.minorVersion) \(head.body) \(flags)"
}
