// A message that several connections are written, in the forms in which they are written it. Each form is made when it is first needed.
import NIOCore
import RingpostCore
import RingpostWire

final class SharedFrames {
    /// A smaller message of a user is encoded anew for each of the user's connections.
    static let bytesMin = Backlog.sharedBytesMin

    private let envelope: [UInt8]
    private let eventName: String?
    /// A text frame.
    private(set) lazy var webSocket: ByteBuffer = {
        var frame = ByteBuffer()
        frame.reserveCapacity(envelope.count + 10)
        WebSocketEncoder.writeText(envelope, into: &frame)
        return frame
    }()
    /// An event without its id.
    private(set) lazy var event: ByteBuffer = {
        var lines = ByteBuffer()
        EventStreamEncoder.writeEvent(event: eventName, id: nil, data: envelope, into: &lines)
        return lines
    }()

    init(_ message: StoredMessage) {
        envelope = message.envelope
        eventName = nil
    }

    /// A control event, which has a name.
    init(_ json: [UInt8], event: String) {
        envelope = json
        eventName = event
    }
}
