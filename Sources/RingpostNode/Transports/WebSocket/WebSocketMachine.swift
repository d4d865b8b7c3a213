// The decisions of one WebSocket: what a frame is answered, whether the client is known, when its frames have to wait, and when a silent
// client is pinged and ended. Frames are decoded by `WebSocketDecoder`, which also puts fragments together.
import RingpostCore

struct WebSocketMachine {
    enum State: Equatable {
        /// The client has not said who it is. Can transition to open, closing.
        case awaitingToken(until: Int64)
        /// Can transition to closing.
        case open
        /// The last word has been written. Final.
        case closing
    }

    /// When the client was last heard.
    enum Liveness: Equatable {
        /// Can transition to pinged.
        case heard(at: Int64)
        /// It was silent for so long that it was asked for a sign of life. Can transition to heard.
        case pinged(heardAt: Int64)
    }

    /// What has to happen before the next frame is looked at. Several may be true at once.
    struct Waits: OptionSet {
        let rawValue: UInt8
        /// A token is being checked.
        static let token = Waits(rawValue: 1)
        /// The client has sent more than it may.
        static let pace = Waits(rawValue: 2)
        /// Others have their turn.
        static let turn = Waits(rawValue: 4)
    }

    private(set) var state: State
    private(set) var liveness: Liveness
    private(set) var waits: Waits = []
    private var framePace = Pace()
    private var bytePace = Pace()

    /// - Parameters:
    ///   - isKnown: the client has said who it is, or does not have to.
    ///   - tokenMilliseconds: how long a client that is not known has to say so.
    init(isKnown: Bool, tokenMilliseconds: Int64, now: Int64) {
        state = isKnown ? .open : .awaitingToken(until: now + tokenMilliseconds)
        liveness = .heard(at: now)
    }

    // MARK: Frames

    enum InputAction: Equatable {
        /// Look at the frames that have arrived.
        case look
        /// Leave them; so many bytes may be read ahead.
        case readAhead
        /// Leave them.
        case wait
    }

    mutating func onBytes(now: Int64) -> InputAction {
        liveness = .heard(at: now)
        if !looksAtFrames { return .wait }
        return waits.contains(.turn) ? .readAhead : .look
    }

    /// Whether the next frame may be looked at, as far as the client itself is concerned.
    var looksAtFrames: Bool { state != .closing && waits.isDisjoint(with: [.token, .pace]) }

    enum Frame {
        case text, binary, ping, pong
        case close(code: UInt16?)
    }

    enum FrameAction: Equatable {
        case nothing
        /// Read the text as a command.
        case readCommand
        /// Answer with the same payload.
        case pong
        /// Say that commands are texts.
        case refuseBinary
        /// Answer with this code, then end.
        case close(code: UInt16)
    }

    func onFrame(_ frame: Frame) -> FrameAction {
        if state == .closing { return .nothing }
        switch frame {
        case .text: return .readCommand
        case .binary: return .refuseBinary
        case .ping: return .pong
        case .pong: return .nothing
        case .close(let code): return .close(code: code ?? 1_000)
        }
    }

    enum CommandAction: Equatable {
        case run
        /// Check the token that the command brings; frames wait meanwhile.
        case checkToken
        /// End: the client has to say who it is first.
        case end
    }

    mutating func onCommand(isToken: Bool) -> CommandAction {
        if isToken {
            waits.insert(.token)
            return .checkToken
        }
        return state == .open ? .run : .end
    }

    // MARK: Tokens

    enum TokenAction: Equatable {
        /// The client is known now: open its subscriptions.
        case begin
        /// Replace what the client may do.
        case renew
        /// End, for the reason that the check gives.
        case end
        /// Say what is wrong with the token; what was granted before still holds.
        case complain
        case nothing
    }

    mutating func onTokenChecked(isGood: Bool) -> TokenAction {
        waits.remove(.token)
        switch (state, isGood) {
        case (.awaitingToken, true):
            state = .open
            return .begin
        case (.awaitingToken, false): return .end
        case (.open, true): return .renew
        case (.open, false): return .complain
        case (.closing, _): return .nothing
        }
    }

    // MARK: Pace and turns

    struct Pause: Equatable {
        let milliseconds: Int64
        /// The limit that was exceeded.
        let limit: Limit
    }

    /// Counts what the client has sent. Beyond its rate nothing is read until ``onPaceOver()``.
    mutating func spend(frames: Int, bytes: Int, framesPerSecond: Int, bytesPerSecond: Int, now: Int64) -> Pause? {
        let forFrames = framePace.spend(frames, now: now, ratePerSecond: framesPerSecond, burst: 2 * framesPerSecond)
        let forBytes = bytePace.spend(bytes, now: now, ratePerSecond: bytesPerSecond, burst: 4 * bytesPerSecond)
        if state == .closing || waits.contains(.pace) || forFrames <= 0 && forBytes <= 0 { return nil }
        waits.insert(.pace)
        return forFrames > 0 ? Pause(milliseconds: forFrames, limit: .clientFrames) : Pause(milliseconds: forBytes, limit: .clientBytes)
    }

    /// - Returns: whether there is still somebody to read from.
    mutating func onPaceOver() -> Bool {
        waits.remove(.pace)
        return state != .closing
    }

    /// A slice is used up.
    mutating func onSliceOver() { waits.insert(.turn) }

    /// - Returns: whether frames were waiting for it.
    mutating func onTurn() -> Bool { waits.remove(.turn) != nil && state != .closing }

    // MARK: Time

    enum DeadlineAction: Equatable {
        case nothing
        case ping
        case end(CloseReason)
    }

    /// - Parameter pingMilliseconds: a client that is silent for so long is pinged, and after as long again ended.
    mutating func onDeadline(now: Int64, pingMilliseconds: Int64) -> DeadlineAction {
        switch state {
        case .closing: return .nothing
        case .awaitingToken(let until) where now >= until: return .end(.unauthorized)
        case .awaitingToken, .open: break
        }
        switch liveness {
        case .heard(let at), .pinged(let at):
            if now - at >= 2 * pingMilliseconds { return .end(.idle) }
            guard case .heard = liveness, now - at >= pingMilliseconds else { return .nothing }
            liveness = .pinged(heardAt: at)
            return .ping
        }
    }

    mutating func onEnd() { state = .closing }
}
