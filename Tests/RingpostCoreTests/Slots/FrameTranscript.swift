// What travels between machines, in words short enough to be read as a transcript. Terms are written `t3`, positions `@5`.
import HashRing

@testable import RingpostCore

extension InMemoryCluster.Packet {
    var words: String {
        switch self {
        case .slot(let frame): frame.words
        case .forward(_, let publish, let hops, let restarts, _):
            "publish \(publish.id.low)\(publish.mayBeRepeat ? " maybe again" : "")\(hops > 1 ? " hop \(hops)" : "")\(restarts ? " restarts" : "")"
        case .answer(_, let result): "answer \(result.words)"
        case .attach(let request, _): "attach \(request.address.id)"
        case .attached(let number, let result): "attached \(number)\((try? result.get()) == nil ? " refused" : "")"
        case .deliver(let number, _, let message): "deliver #\(message.sequence) to \(number)"
        case .detached(let number): "detached \(number)"
        }
    }
}

extension SlotFrame {
    var words: String {
        switch self {
        case .inquire(let term, let slots): "inquire t\(term)\(slots.count == 1 ? "" : " ×\(slots.count)")"
        case .fetch(let term, _): "fetch t\(term)"
        case .adopt(let adoptions): "adopt " + Self.words(adoptions) { "t\($0.term) t\($0.base)@\($0.position)" }
        case .snapshots(let fills): "fill " + Self.words(fills) { "t\($0.term) \($0.chunk.words)" }
        case .append(let term, _, let position, let entry): "append t\(term) @\(position) \(entry.words)"
        case .release(let slots): "release " + Self.words(slots) { "t\($0.evidence.term)" }
        case .keepers(let slots): "keepers " + Self.words(slots) { "t\($0.term) \($0.set.lineages.count)" }
        case .retained(let epoch, let holdings): "retained e\(epoch) " + holdings.map(\.content.words).joined(separator: " ")
        case .holdings(let term, let holdings): "holdings t\(term) " + holdings.map(\.content.words).joined(separator: " ")
        case .chunk(let term, _, let piece): "piece t\(term) \(piece?.words ?? "none")"
        case .acknowledge(let term, _, let position): "ack t\(term) @\(position)"
        case .acknowledgeCopies(let positions): "ack " + Self.words(positions) { "t\($0.term) @\($0.position)" }
        case .mismatch(let term, _): "mismatch t\(term)"
        case .released(let slots): "released " + Self.words(slots) { "t\($0.term)" }
        case .refused(let term, _, let minimum): "refused t\(term) min \(minimum)"
        }
    }

    /// One after the other; most tests are about one slot.
    private static func words<Part>(_ parts: [Part], _ words: (Part) -> String) -> String { parts.map(words).joined(separator: ", ") }
}

// Frames about one slot.
extension SlotFrame {
    static func adopt(term: UInt64, slot: UInt16, base: UInt64, position: UInt64) -> SlotFrame {
        .adopt([SlotAdoption(slot: slot, term: term, base: base, position: position)])
    }

    static func snapshot(term: UInt64, slot: UInt16, _ chunk: SnapshotChunk) -> SlotFrame {
        .snapshots([SnapshotTransfer(slot: slot, term: term, chunk: chunk)])
    }

    static func release(term: UInt64, slot: UInt16) -> SlotFrame {
        .release([SlotRelease(slot: slot, evidence: SlotEvidence(term: term, position: 0, set: LineageSet()))])
    }

    static func released(term: UInt64, slot: UInt16) -> SlotFrame { .released([SlotTerm(slot: slot, term: term)]) }
}

extension SnapshotChunk {
    /// The end of what it holds, and only where there are more pieces than one which it is.
    var words: String {
        let part = isFirst && isLast ? "" : isFirst ? " first" : isLast ? " last" : " next"
        return "t\(base)@\(position)\(part)"
    }
}

extension SlotEntry {
    var words: String {
        switch self {
        case .message(_, _, let message, let remembered): "#\(message.sequence)\(remembered == nil ? "" : " with key")"
        case .created: "created"
        case .belongs: "belongs"
        case .seen: "seen"
        case .nothing: "nothing"
        }
    }
}

extension SlotHolding.Content {
    var words: String {
        switch self {
        case .copy(let term, let position, _, let isCurrent): "t\(term)@\(position)\(isCurrent ? "" : " old")"
        case .none: "none"
        }
    }
}

extension PublishResult {
    /// `#3`, what is remarkable about the receipt, or the problem's code.
    var words: String {
        switch self {
        case .success(let receipt):
            "#\(receipt.sequence)\(receipt.mirrored ? "" : " alone")\(receipt.durable ? " durable" : "")\(receipt.repeated ? " again" : "")"
        case .failure(let problem): problem.code
        }
    }
}

extension InMemoryCluster.Heard {
    /// `0…2: #1 #2 live`: from, through, what came with it.
    var words: String {
        switch self {
        case .attached(let reply):
            "\(reply.gap ? "gap " : "")\(reply.from)…\(reply.through):"
                + reply.messages.map { " #\($0.sequence)" }.joined() + (reply.isLive ? " live" : reply.hasMore ? " more" : "")
        case .refused(let problem): problem.code
        case .message(_, let message): "#\(message.sequence)"
        case .detached: "detached"
        }
    }
}

extension InMemoryCluster {
    /// What a publish was answered; more than one answer is a fault that shows here.
    func result(_ number: UInt64) -> String { (results[number] ?? []).map(\.words).joined(separator: " and ") }

    /// What the socket heard, and forgets it.
    func heard(_ number: UInt64) -> [String] { takeHeard(number).map(\.words) }

    /// What a node holds of the slot: `t3@5`, `none`, and whether it serves it as its owner.
    func copy(_ id: String, of slot: Int? = nil) -> String {
        let state = state(id, of: slot ?? self.slot)
        let copy = state.copy.state == .complete ? "t\(state.copy.term)@\(state.copy.position)" : "none"
        guard let owner = state.owner else { return copy }
        return copy + (owner.isServing ? " serves" : " owns")
    }

    /// All copies of the slot, for the end of a transcript.
    func copies(of slot: Int? = nil) -> [String] {
        nodes.keys.sorted().filter { copy($0, of: slot) != "none" }.map { "\($0) \(copy($0, of: slot))" }
    }

    /// What the last steps were, in words, and forgets them.
    func steps() -> [String] {
        defer { trace = [] }
        return trace
    }
}
