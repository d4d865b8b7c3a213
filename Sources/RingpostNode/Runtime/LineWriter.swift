// Lines on their way to a file, a pipe or a terminal: the audit log's and the log's own. Whoever has a line puts it into a bounded queue, and
// one thread writes. A disk that is full and a reader that hangs lose lines, which are counted and told by the next line that comes through;
// they hold up nobody.
import Dispatch
import Glibc
import Synchronization

final class LineWriter<Line: Sendable>: Sendable {
    private struct State {
        var waiting: [(line: Line, missing: LineCounts.Missing)] = []
        var waitingSize = 0
        var isWriting = false
        var counts = LineCounts()
        /// Since the last line that waits.
        var missing = LineCounts.Missing()
    }

    /// Used on the queue only.
    private final class File: @unchecked Sendable {
        var descriptor: Int32 = -1
        /// The last line is there by half: the next one begins with a line's end.
        var isTorn = false
        /// Of lines that were tried since the last one that came through.
        var missing = LineCounts.Missing()
        /// The last line was refused.
        var isFailing = false
    }

    private let waitingMax: Int
    private let size: @Sendable (Line) -> Int
    private let text: @Sendable (Line, LineCounts.Missing) -> [UInt8]
    private let onFailure: @Sendable () -> Void
    private let state = Mutex(State())
    private let file = File()
    private let queue: DispatchQueue

    /// - Parameters:
    ///   - label: names the thread.
    ///   - waitingMax: how much may wait, as `size` measures it; what comes beyond is lost.
    ///   - text: a line's bytes, with its end, and with what is missing before it.
    ///   - onFailure: the descriptor refuses lines; called once, until it takes one again.
    init(
        label: String, waitingMax: Int, size: @escaping @Sendable (Line) -> Int,
        text: @escaping @Sendable (Line, LineCounts.Missing) -> [UInt8],
        onFailure: @escaping @Sendable () -> Void = {}
    ) {
        (self.waitingMax, self.size, self.text, self.onFailure) = (waitingMax, size, text, onFailure)
        queue = DispatchQueue(label: label)
    }

    var counts: LineCounts { state.withLock { $0.counts } }

    /// Takes a line, or loses it. Never waits.
    func put(_ line: Line) {
        let size = size(line)
        let begins = state.withLock { state in
            guard state.waitingSize + size <= waitingMax else {
                state.counts.lost += 1
                state.missing.lost += 1
                return false
            }
            state.waiting.append((line, state.missing))
            state.waitingSize += size
            state.missing = LineCounts.Missing()
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if begins { queue.async { self.writeWaiting() } }
    }

    /// A line that its owner leaves out: it is counted, and told.
    func leaveOut() {
        state.withLock { state in
            state.counts.omitted += 1
            state.missing.omitted += 1
        }
    }

    /// From the lines that wait next on, another descriptor is written to.
    ///
    /// - Parameter open: on the writing thread; negative when there is no other one, and the former stays.
    func use(_ open: @escaping @Sendable () -> Int32) {
        queue.async { [file] in
            let descriptor = open()
            guard descriptor >= 0 else { return }
            if file.descriptor >= 0 { close(file.descriptor) }
            (file.descriptor, file.isTorn) = (descriptor, false)
        }
    }

    /// Returns when all lines that were put are written, or the time is over.
    func flush(milliseconds: Int) async {
        let queue = queue
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            DispatchQueue.global().async {
                let end = DispatchSemaphore(value: 0)
                queue.async { end.signal() }
                _ = end.wait(timeout: .now() + .milliseconds(milliseconds))
                continuation.resume()
            }
        }
    }

    // MARK: On the writing thread

    private func writeWaiting() {
        while true {
            let lines = state.withLock { state in
                defer { (state.waiting, state.waitingSize) = ([], 0) }
                state.isWriting = !state.waiting.isEmpty
                return state.waiting
            }
            if lines.isEmpty { return }
            for (line, missing) in lines { write(line, missing) }
        }
    }

    private func write(_ line: Line, _ missing: LineCounts.Missing) {
        file.missing.lost += missing.lost
        file.missing.omitted += missing.omitted
        let isWritten = write(text(line, file.missing))
        state.withLock { state in
            if isWritten { state.counts.written += 1 } else { state.counts.lost += 1 }
        }
        if isWritten { file.missing = LineCounts.Missing() } else { file.missing.lost += 1 }
        if !isWritten, !file.isFailing { onFailure() }
        file.isFailing = !isWritten
    }

    private func write(_ line: [UInt8]) -> Bool {
        let bytes = (file.isTorn ? [0x0A] : []) + line
        let written = bytes.withUnsafeBytes { DescriptorWriter.write($0, to: file.descriptor) }
        if written < bytes.count {
            if written > 0 { file.isTorn = true }
            return false
        }
        file.isTorn = false
        return true
    }
}
