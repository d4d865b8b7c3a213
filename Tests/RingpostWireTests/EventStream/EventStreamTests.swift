// Event streams: what the encoder writes, byte for byte, and how the decoder reads what anybody writes, fed whole, byte by
// byte and in random pieces.

import NIOCore
import RingpostWire
import Testing

/// What a decoder makes of a stream that arrives in `pieces`; an error is the last line.
func eventTranscript(_ pieces: [ArraySlice<UInt8>], lastEventID: String = "", eventBytesMax: Int = 1_024) -> [String] {
    var decoder = EventStreamDecoder(lastEventID: lastEventID, eventBytesMax: eventBytesMax)
    var buffer = ByteBuffer()
    var lines: [String] = []
    for piece in pieces {
        buffer.writeBytes(piece)
        do throws(EventStreamError) {
            while let item = try decoder.next(&buffer) {
                switch item {
                case .event(let type, let data, let id): lines.append("\(type)|\(String(decoding: data, as: UTF8.self))|\(id)")
                case .retry(let milliseconds): lines.append("retry \(milliseconds)")
                }
            }
        } catch {
            return lines + ["\(error)"]
        }
    }
    return lines + ["last \(decoder.lastEventID)"]
}

@Suite struct EventStreamTests {
    private func written(_ write: (inout ByteBuffer) -> Void) -> String {
        var buffer = ByteBuffer()
        write(&buffer)
        return String(buffer: buffer)
    }

    private func read(_ text: String, lastEventID: String = "", eventBytesMax: Int = 1_024) -> [String] {
        sameForEveryCutting(Array(text.utf8)) { eventTranscript($0, lastEventID: lastEventID, eventBytesMax: eventBytesMax) }
    }

    @Test func eventsAreWritten() {
        let data = Array("{}".utf8)
        #expect(written { EventStreamEncoder.writeEvent(data: data, into: &$0) } == "data: {}\n\n")
        #expect(
            written { EventStreamEncoder.writeEvent(event: "gap", id: Array("7".utf8), data: ByteBuffer(bytes: data), into: &$0) }
                == "event: gap\nid: 7\ndata: {}\n\n")
        #expect(written { EventStreamEncoder.writeEvent(event: "", id: [], data: [], into: &$0) } == "id: \ndata: \n\n")
        #expect(
            written { EventStreamEncoder.writeEvent(data: Array("a\nb\r\nc\rd\r\n".utf8), into: &$0) }
                == "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n")
        #expect(written { EventStreamEncoder.writeComment("a\r\nb", into: &$0) } == ":a  b\n\n")
        #expect(written { EventStreamEncoder.writeComment(into: &$0) } == ":\n\n")
        #expect(written { EventStreamEncoder.writeRetry(milliseconds: 1_500, into: &$0) } == "retry: 1500\n")
        #expect(written { EventStreamEncoder.writeRetry(milliseconds: -1, into: &$0) } == "retry: 0\n")
    }

    @Test func fieldsThatDoNotFitOneLineAreLeftOut() {
        for bad in ["a\nb", "a\rb", "a\u{0}b"] {
            #expect(written { EventStreamEncoder.writeEvent(event: bad, id: Array(bad.utf8), data: [0x78], into: &$0) } == "data: x\n\n")
        }
    }

    @Test func theExamplesOfTheStandard() {
        #expect(read("data: YHOO\ndata: +2\ndata: 10\n\n") == ["message|YHOO\n+2\n10|", "last "])
        #expect(
            read(": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n")
                == ["message|first event|1", "message|second event|", "message| third event|", "last "])
        #expect(read("data\n\ndata\ndata\n\ndata:") == ["message||", "message|\n|", "last "])
        #expect(read("data:test\n\ndata: test\n\n") == ["message|test|", "message|test|", "last "])
    }

    @Test func everyLineEnd() {
        let expected = ["t|a\nb|", "message|c|", "last "]
        for end in ["\n", "\r", "\r\n"] {
            #expect(read("event: t\(end)data: a\(end)data: b\(end)\(end)data: c\(end)\(end)") == expected)
        }
        #expect(read("event: t\r\ndata: a\rdata: b\n\rdata: c\n\n") == expected)
        #expect(read("data: a\r\r\n") == ["message|a|", "last "])
    }

    @Test func aByteOrderMarkIsSkippedOnce() {
        #expect(read("\u{FEFF}data: a\n\n") == ["message|a|", "last "])
        #expect(read("\u{FEFF}\u{FEFF}data: a\n\n") == ["last "])
        #expect(sameForEveryCutting([0xEF, 0xBB] + Array("\ndata: a\n\n".utf8)) { eventTranscript($0) } == ["message|a|", "last "])
    }

    @Test func idsAreRemembered() {
        #expect(read("id: 5\n", lastEventID: "4") == ["last 4"])
        #expect(read("id: 5\n\n", lastEventID: "4") == ["last 5"])
        #expect(read("id: 5\n\ndata: a\n\nid: 6\u{0}\ndata: b\n\n") == ["message|a|5", "message|b|5", "last 5"])
        #expect(read("id:\n\n", lastEventID: "4") == ["last "])
    }

    @Test func otherFields() {
        #expect(read("retry: 10\nretry: 1x\nretry:\nretry: -1\nretry:  1\n\n") == ["retry 10", "last "])
        #expect(read("retry: 99999999999999999999\n") == ["retry \(Int.max)", "last "])
        #expect(read("Data: a\n data: b\nfoo: c\n:data: d\nevent: e\n\n") == ["last "])
        #expect(read("event: e\n\ndata: a\n\n") == ["message|a|", "last "])
        #expect(
            sameForEveryCutting(Array("data: a".utf8) + [0xFF, 0x0A, 0x0A]) { eventTranscript($0) } == ["message|a\u{FFFD}|", "last "])
    }

    @Test func eventsHaveALargestSize() {
        let refused = "eventTooLarge(bytesMax: 10)"
        #expect(read("data: 4567\n\n", eventBytesMax: 10) == ["message|4567|", "last "])
        #expect(read("data: 45678\n\n", eventBytesMax: 10) == [refused])
        #expect(read(":0123456789", eventBytesMax: 10) == [refused])
        #expect(read("data:12345\ndata:1234\n\n", eventBytesMax: 10) == ["message|12345\n1234|", "last "])
        #expect(read("data:a\n\ndata:12345\ndata:12345\n\n", eventBytesMax: 10) == ["message|a|", refused])
    }

    @Test func whatIsWrittenIsRead() {
        var buffer = ByteBuffer()
        EventStreamEncoder.writeRetry(milliseconds: 3_000, into: &buffer)
        EventStreamEncoder.writeComment("hello", into: &buffer)
        EventStreamEncoder.writeEvent(event: "t", id: Array("ü".utf8), data: Array(" a\nb:\n".utf8), into: &buffer)
        #expect(read(String(buffer: buffer)) == ["retry 3000", "t| a\nb:\n|ü", "last ü"])
    }
}
