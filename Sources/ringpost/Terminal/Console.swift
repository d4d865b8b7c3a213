// What commands write: results on standard output, everything else on standard error. Lines leave at once, because
// whoever pipes a running command somewhere wants to see them when they happen.
import ArgumentParser
import RingpostClient
import RingpostCore

import Glibc

enum Console {
    static let outIsTerminal = isatty(STDOUT_FILENO) == 1
    static let errorIsTerminal = isatty(STDERR_FILENO) == 1
    /// See no-color.org: any value that isn't empty means no colours.
    static let outHasColours = outIsTerminal && (Environment.value("NO_COLOR") ?? "").isEmpty && Environment.value("TERM") != "dumb"

    /// A line on standard output. Whatever is in it, it is one line, and moves no cursor: parts of it may come from a node or a publisher.
    static func line(_ text: String) { write(printable(text) + "\n", to: STDOUT_FILENO) }

    /// Text on standard output, as it is: with colours, or of more than one line. Whoever calls it has made all foreign parts printable.
    static func text(_ text: String) { write(text, to: STDOUT_FILENO) }

    /// A JSON text and a line's end on standard output.
    static func json(_ bytes: [UInt8]) { write(ShownText.escapedJSON(bytes) + "\n", to: STDOUT_FILENO) }

    /// A line on standard error, as harmless as ``line(_:)``.
    static func note(_ text: String) { write(printable(text) + "\n", to: STDERR_FILENO) }

    /// Lines on standard error.
    static func notes(_ text: String) { for line in text.split(separator: "\n", omittingEmptySubsequences: false) { note(String(line)) } }

    /// A line on standard error that the next one overwrites; needs a terminal.
    static func status(_ text: String) { write("\r\u{1B}[2K\(printable(text))", to: STDERR_FILENO) }

    /// Ends the command with an error that says what to do.
    static func fail(_ error: any Error) -> ExitCode {
        // Of several addresses each has a line.
        notes("ringpost: \(error)")
        if case .refused(401, _, _)? = error as? OperatorError {
            note("give an API key: --api-key-file FILE, or RINGPOST_API_KEY (`ringpost key new` makes one)")
        }
        if case .refused(401, _, _)? = error as? SubscriberError {
            note("give a token: --token-file FILE, or RINGPOST_TOKEN (`ringpost token new` makes one for development)")
        }
        return .failure
    }

    /// Text from elsewhere, made fit for a terminal: control characters could move the cursor or change colours.
    static func printable(_ text: String) -> String { ShownText.escaped(text) }

    private static func write(_ text: String, to descriptor: Int32) { write(Array(text.utf8), to: descriptor) }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        bytes.withUnsafeBytes { bytes in
            var written = 0
            while written < bytes.count, let base = bytes.baseAddress {
                let count = Glibc.write(descriptor, base + written, bytes.count - written)
                if count < 0, errno == EINTR { continue }
                // Nobody reads any more; a command that only prints has nothing left to do about it.
                if count <= 0 { return }
                written += count
            }
        }
    }
}

/// A text as a JSON string, quotes included.
func jsonQuoted(_ text: String) -> String {
    var output = "\""
    for scalar in text.unicodeScalars {
        switch scalar {
        case "\"", "\\": output += "\\\(scalar)"
        case _ where ShownText.isUnsafe(scalar): output += ShownText.jsonEscape(scalar)
        default: output.unicodeScalars.append(scalar)
        }
    }
    return output + "\""
}

extension [String] {
    /// Names, fit for a terminal.
    var printable: String { isEmpty ? "nobody" : map(Console.printable).joined(separator: ", ") }
}
