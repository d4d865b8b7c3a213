// Finds the lines of a batch's body a piece at a time: a body may be millions of empty lines, and other requests wait meanwhile.

/// Where in a body the reading stands.
package struct BatchReader: Sendable {
    /// What was found.
    package enum Step: Equatable, Sendable {
        /// A line that is not empty, without its end.
        case line(Range<Int>)
        /// As many bytes have been looked at as may be; it goes on with the next call.
        case pause
        case end
    }

    private var lineStart = 0
    private var offset = 0
    /// The line has had nothing but white space so far.
    private var isBlank = true

    /// Begins with the first line.
    package init() {}

    /// The next line that holds more than white space.
    ///
    /// - Parameter bytesLeft: bytes that may be looked at; what was looked at is taken off.
    package mutating func next(_ body: UnsafeRawBufferPointer, bytesLeft: inout Int) -> Step {
        while offset < body.count {
            if bytesLeft <= 0 { return .pause }
            let byte = body[offset]
            offset += 1
            bytesLeft -= 1
            if byte == UInt8(ascii: "\n") {
                if let line = take(upTo: offset - 1) { return .line(line) }
            } else if byte > 0x20 {
                isBlank = false
            }
        }
        return take(upTo: offset).map(Step.line) ?? .end
    }

    private mutating func take(upTo end: Int) -> Range<Int>? {
        defer { (lineStart, isBlank) = (offset, true) }
        return isBlank ? nil : lineStart..<end
    }
}
