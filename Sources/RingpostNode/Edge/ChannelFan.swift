// The sockets of one event loop that listen to one channel. A message is put into each transport's form once, and those bytes go to
// all of them.
import NIOCore
import RingpostCore
import RingpostWire

/// A message in the forms in which sockets are written it, each made when it is first wanted.
final class SharedFrames {
    private let envelope: [UInt8]
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
        EventStreamEncoder.writeEvent(event: nil, id: nil, data: envelope, into: &lines)
        return lines
    }()

    init(_ message: StoredMessage) { envelope = message.envelope }
}

/// Used on its loop only.
final class ChannelFan: @unchecked Sendable {
    private enum Item {
        case message(incarnation: UInt64, StoredMessage, SharedFrames)
        case gap
    }

    let key: Key
    private unowned let loop: NodeLoop
    private var out = FanOut<EdgeSession, Item>()
    private var isRunning = false

    init(_ key: Key, loop: NodeLoop) {
        self.key = key
        self.loop = loop
    }

    var count: Int { out.count }

    func add(_ session: EdgeSession) { out.add(session) }
    func remove(_ session: EdgeSession) { out.remove(session) }

    func take(_ item: FanItem) {
        let isTooMuch =
            switch item {
            case .message(let incarnation, let message): out.push(.message(incarnation: incarnation, message, SharedFrames(message)))
            case .gap: out.push(.gap)
            }
        if isTooMuch { loop.counters.fanDropped += 1 }
        if !isRunning { run() }
    }

    /// Some sockets at a time; those of other keys have their turn in between.
    private func run() {
        isRunning = true
        for _ in 0..<FanOut<EdgeSession, Item>.sliceMembersMax {
            guard let (session, items) = out.next() else {
                isRunning = false
                return
            }
            for item in items {
                switch item {
                case .message(let incarnation, let message, let frames):
                    session.onDeliver(incarnation: incarnation, message, shared: frames)
                case .gap: session.askAgain()
                }
            }
        }
        loop.eventLoop.execute { self.run() }
    }

    /// All who listen are better off elsewhere.
    func end(_ farewell: @autoclosure () -> Farewell) { for session in out.all { session.end(farewell()) } }
}

extension NodeLoop {
    /// A socket of this loop listens to a channel from now on. It asks for what it has not seen after this.
    ///
    /// - Returns: false when there are too many channels already.
    func listen(_ session: EdgeSession) -> Bool {
        if let fan = fans[session.key] {
            fan.add(session)
            return true
        }
        if fans.count >= shared.configuration.limits.channelsMax { return false }
        let fan = ChannelFan(session.key, loop: self)
        fan.add(session)
        fans[session.key] = fan
        cross(.tune(session.key, loop: index), to: slotLoop(session.key.slot))
        return true
    }

    func stopListening(_ session: EdgeSession) {
        guard let fan = fans[session.key] else { return }
        fan.remove(session)
        if fan.count > 0 { return }
        fans[session.key] = nil
        cross(.untune(session.key, loop: index), to: slotLoop(session.key.slot))
    }
}
