// What clients come to: the paths of the client port.
import RingpostWire

enum ClientPath {
    case webSocket
    case eventStream
    case poll
    case locate

    /// `nil` where there is nothing.
    init?(_ head: HTTPRequestHead) {
        let path: ClientPath? = head.withPathBytes { path in
            if path.elementsEqual("/v1/ws".utf8) { return .webSocket }
            if path.elementsEqual("/v1/sse".utf8) { return .eventStream }
            if path.elementsEqual("/v1/poll".utf8) { return .poll }
            return path.elementsEqual("/v1/locate".utf8) ? .locate : nil
        }
        guard let path else { return nil }
        self = path
    }

    /// The client stays.
    var isStream: Bool { self == .webSocket || self == .eventStream }
}
