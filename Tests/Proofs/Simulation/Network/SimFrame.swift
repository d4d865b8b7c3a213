// What travels on the simulated network: the frames of links, and what producers and clients exchange with a node. Values, never bytes:
// the codecs have their own tests.

import RingpostCore

/// One frame.
enum SimFrame {
    // Links, from the dialling end.
    case hello(from: MemberIdentity, to: MemberIdentity, generation: UInt64, dial: UInt64)
    case ping(query: UInt64, LinkStanding)
    case forward(request: UInt64, epoch: UInt64, hops: UInt8, restarts: Bool, Publish, budgetMilliseconds: Int64)
    case attach(AttachRequest, epoch: UInt64, age: UInt32)
    case detach(attachment: UInt64, Key)
    case report(attachment: UInt64, Key, PresenceReport)
    // Links, from the accepting end.
    case welcome
    case pong(query: UInt64, LinkStanding)
    case answer(request: UInt64, PublishResult)
    case attached(attachment: UInt64, Result<AttachReply, Problem>)
    case deliver(attachment: UInt64, incarnation: UInt64, StoredMessage)
    case detached(attachment: UInt64)
    case news(attachment: UInt64, PresenceNews)
    // Links, both ways.
    case slot(SlotFrame)
    case members(epoch: UInt64, [Member], generation: UInt64)
    // Producers.
    case produce(request: UInt64, SimMessage, restarts: Bool, budgetMilliseconds: Int64)
    case produced(request: UInt64, PublishResult)
    // Clients.
    case subscribe(Key, AttachStart, AttachRequest.Stay, user: [UInt8])
    case begin(Cursor)
    case gap(Cursor)
    case message(incarnation: UInt64, StoredMessage)
    /// Who listens to the channel, comes or goes.
    case present([[UInt8]])
    case joined([[UInt8]])
    case left([[UInt8]])
    /// A poll's answer ends, with the cursor for the next one.
    case polled(Cursor)
}

extension SimFrame {
    /// For the trace; `nil` for what is too much to print.
    var trace: String? {
        switch self {
        case .slot(let frame): Self.trace(frame)
        case .forward(let request, let epoch, let hops, let restarts, let publish, _):
            "forward \(request) at \(epoch), hop \(hops)\(restarts ? ", restarts" : ""): "
                + "\(publish.key.text) \(String(decoding: publish.data.suffix(6), as: UTF8.self))\(publish.mayBeRepeat ? ", may be a repeat" : "")"
        case .answer(let request, .success(let receipt)):
            "answer \(request): \(receipt.sequence) by \(receipt.owner) in \(receipt.epoch)\(receipt.repeated ? ", repeated" : "")"
        case .answer(let request, .failure(let problem)): "answer \(request): \(problem.code)"
        case .attach(let request, let epoch, let age):
            "attach \(request.address.id) to \(request.key.text) \(request.start)\(age > 0 ? ", \(age) ms ago," : "") at \(epoch)"
        case .attached(let attachment, .success(let reply)):
            "attached \(attachment): \(reply.incarnation.hexadecimal) \(reply.from)...\(reply.through)\(reply.gap ? ", gap" : "")"
        case .attached(let attachment, .failure(let problem)): "attached \(attachment): \(problem.code)"
        case .deliver(let attachment, let incarnation, let message):
            "deliver to \(attachment): \(incarnation.hexadecimal)-\(message.sequence)"
        case .detach(let attachment, _): "detach \(attachment)"
        case .report(let attachment, let key, let report):
            "report of \(attachment) on \(key.text)\(report.isWhole ? ", whole" : ""): "
                + report.listeners.map { "\(String(decoding: $0.user, as: UTF8.self)) \($0.count.sockets)" }.joined(separator: ", ")
        case .news(let attachment, let news):
            "news to \(attachment)\(news.isWhole ? ", whole" : ""): \(news.joined.count) joined, \(news.left.count) left"
        case .detached(let attachment): "detached \(attachment)"
        case .hello, .welcome, .ping, .pong, .members, .produce, .produced, .subscribe, .begin, .gap, .message, .present, .joined, .left,
            .polled:
            nil
        }
    }

    private static func trace(_ frame: SlotFrame) -> String {
        switch frame {
        case .append(let term, let slot, let position, let entry):
            "append \(position) to \(slot) in term \(term): \(trace(entry))"
        case .snapshots(let fills): "fill " + fills.map(trace).joined(separator: ", ")
        case .chunk(let term, let slot, let piece):
            "piece of \(slot) in term \(term): \(piece.map { "\($0.items.count) items to \($0.position) of \($0.base)" } ?? "none")"
        default: "\(frame)"
        }
    }

    private static func trace(_ fill: SnapshotTransfer) -> String {
        "\(fill.slot) in term \(fill.term) with \(fill.chunk.items.count) items to \(fill.chunk.position)"
            + (fill.chunk.isLast ? ", complete" : "")
    }

    private static func trace(_ entry: SlotEntry) -> String {
        switch entry {
        case .message(let key, let incarnation, let message, _):
            "\(key.text) \(incarnation.hexadecimal)-\(message.sequence) is "
                + "\(SimMessage.number(inEnvelope: message.envelope).map(String.init) ?? "?")"
        case .created(let key, let incarnation): "\(key.text) is \(incarnation.hexadecimal)"
        case .belongs(let key, let principal): "\(key.text) is \(principal.rawValue)'s"
        case .seen(let key, _): "\(key.text) is seen"
        case .nothing: "nothing"
        }
    }
}
