// Event streams, as the client library reads them from a server that it need not trust.
import NIOCore
import RingpostWire

enum EventFuzzer {
    static let words = ["data: ", "data", "id: ", "event: ", "retry: 10", "\n", "\r", "\r\n", "\n\n", ":", "\u{FEFF}", "\u{0}", "ü"]
    private static let eventBytesMax = 128

    private enum Part: Equatable {
        case item(EventStreamItem)
        case error(EventStreamError)
        case left(String, Int)
    }

    static func check(_ input: UnsafeRawBufferPointer) {
        for part in Pieces.sameForAll(input, decode) {
            switch part {
            case .item(.event(let type, let data, let id)): check(type, data, id)
            case .item(.retry(let milliseconds)): demand(milliseconds >= 0, "to wait for \(milliseconds) ms")
            case .left(_, let count): demand(count <= eventBytesMax, "\(count) bytes wait for more")
            case .error: break
            }
        }
    }

    private static func decode(_ pieces: [UnsafeRawBufferPointer]) -> [Part] {
        var decoder = EventStreamDecoder(eventBytesMax: eventBytesMax)
        var buffer = ByteBuffer()
        var parts: [Part] = []
        for piece in pieces {
            buffer.writeBytes(piece)
            do throws(EventStreamError) {
                while let item = try decoder.next(&buffer) { parts.append(.item(item)) }
            } catch {
                demand((try? decoder.next(&buffer)) == nil, "the decoder goes on after \(error)")
                return parts + [.error(error)]
            }
        }
        // Whether an LF after the last CR has been looked at depends on where the stream was cut.
        return parts + [.left(decoder.lastEventID, buffer.readableBytes)]
    }

    private static func check(_ type: String, _ data: [UInt8], _ id: String) {
        demand(UTF8Check.isValid(data) && !type.isEmpty, "an event that is no text")
        // A byte that is no UTF-8 becomes three that are.
        demand(data.count <= 3 * eventBytesMax && type.utf8.count <= 3 * eventBytesMax, "an event of \(data.count) bytes")
        guard data.count + 6 <= eventBytesMax, type.utf8.count + 7 <= eventBytesMax, id.utf8.count + 4 <= eventBytesMax,
            !data.contains(0x0D), !type.utf8.contains(0)
        else { return }
        var buffer = ByteBuffer()
        EventStreamEncoder.writeEvent(event: type, id: Array(id.utf8), data: data, into: &buffer)
        let again = buffer.withUnsafeReadableBytes { decode([$0]) }
        demand(again == [.item(.event(type: type, data: data, lastEventID: id)), .left(id, 0)], "\(again) was another event")
    }
}
