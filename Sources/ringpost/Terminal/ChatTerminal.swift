// A terminal in which lines appear above the one that is being typed. Without a terminal, lines go in and out as they are.
import Foundation
import Synchronization

import Glibc

/// Lines in, lines out.
final class ChatTerminal: Sendable {
    private struct State {
        var editor = LineEditor()
        var before: termios?
        var isClosed = false
    }

    private static let linesMax = 1_000
    private static let fullPauseSeconds = 0.01

    /// What was typed, line by line; ends with the input.
    let lines: AsyncStream<String>
    private let typed: AsyncStream<String>.Continuation
    private let prompt: String
    private let isInteractive = isatty(STDIN_FILENO) == 1 && Console.outIsTerminal
    private let state = Mutex(State())

    init(prompt: String) {
        self.prompt = prompt
        // What is typed while a message is on its way; a pipe that brings more is read later.
        (lines, typed) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(Self.linesMax))
    }

    func open() {
        state.withLock { state in
            if isInteractive {
                var settings = termios()
                tcgetattr(STDIN_FILENO, &settings)
                state.before = settings
                // Characters come one by one and are echoed here; Ctrl-C stays a signal.
                settings.c_lflag &= ~tcflag_t(ICANON | ECHO)
                tcsetattr(STDIN_FILENO, TCSANOW, &settings)
                Console.text(prompt)
            }
        }
        // A thread that waits in `read` until the process ends: a source of events is not told of the end of a pipe in every case.
        Thread.detachNewThread { while self.read() {} }
    }

    /// Gives the terminal back as it was. The lines end.
    func close() {
        state.withLock { state in
            if state.isClosed { return }
            state.isClosed = true
            if var before = state.before {
                tcsetattr(STDIN_FILENO, TCSANOW, &before)
                Console.text("\r\u{1B}[2K")
            }
        }
        typed.finish()
    }

    /// A line that somebody has said.
    func show(_ line: String) { write(line) }

    /// A line about the room.
    func note(_ line: String) {
        let line = Console.printable(line)
        write(Console.outHasColours ? "\u{1B}[2m* \(line)\u{1B}[0m" : "* \(line)")
    }

    private func write(_ line: String) {
        state.withLock { state in
            if state.isClosed { return }
            if isInteractive { Console.text("\r\u{1B}[2K\(line)\n\(prompt)\(state.editor.text)") } else { Console.line(line) }
        }
    }

    /// False when there is nothing more to read.
    private func read() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4_096)
        let count = Glibc.read(STDIN_FILENO, &buffer, buffer.count)
        if count < 0, errno == EINTR { return true }
        if count <= 0 {
            close()
            return false
        }
        let (whole, isOver) = state.withLock { state in
            let steps = buffer[..<count].map { state.editor.take($0) }
            if isInteractive { Console.text("\r\u{1B}[2K\(prompt)\(state.editor.text)") }
            return (steps.compactMap { if case .line(let line) = $0 { line } else { nil } }, isInteractive && steps.contains(.end))
        }
        // This thread has nothing else to do, and what it doesn't read waits in the pipe.
        for line in whole { while case .dropped = typed.yield(line) { Thread.sleep(forTimeInterval: Self.fullPauseSeconds) } }
        if isOver { close() }
        return !isOver
    }
}

/// The line that is being typed, byte by byte.
struct LineEditor {
    enum Step: Equatable {
        case nothing
        case line(String)
        /// Ctrl-D in an empty line.
        case end
    }

    /// A longer line takes no more.
    static let bytesMax = 8_192

    private var bytes: [UInt8] = []
    /// Inside what an arrow key sends.
    private var isEscape = false

    var text: String { Console.printable(String(decoding: bytes, as: UTF8.self)) }

    mutating func take(_ byte: UInt8) -> Step {
        if isEscape {
            // ESC [ … letter, or ESC letter.
            if byte != UInt8(ascii: "["), !(0x30...0x3F).contains(byte) { isEscape = false }
            return .nothing
        }
        switch byte {
        case 0x0A, 0x0D:
            let line = String(decoding: bytes, as: UTF8.self)
            bytes = []
            return .line(line)
        case 0x04: return bytes.isEmpty ? .end : .nothing
        case 0x08, 0x7F:
            var text = String(decoding: bytes, as: UTF8.self)
            if !text.isEmpty { text.removeLast() }
            bytes = Array(text.utf8)
        case 0x15: bytes = []
        case 0x1B: isEscape = true
        case 0x00..<0x20: break
        default: if bytes.count < Self.bytesMax { bytes.append(byte) }
        }
        return .nothing
    }
}
