// A broken promise, and a trap in a decoder, end the process: before it goes it says which input did it.
import Glibc

/// What is said when the process is about to end by a trap.
enum LastWords {
    /// What is being tried. The handler reads it, so it is nothing that would have to allocate or lock.
    nonisolated(unsafe) private static var input = UnsafeRawBufferPointer(start: nil, count: 0)
    nonisolated(unsafe) private static var seed: UInt64 = 0

    /// What they begin with.
    static let beginning: StaticString = "\nthe input of seed "

    /// From here on a trap is blamed on the last input. The process then ends as if all were well: of one that ends in another way than
    /// expected, a test doesn't get to read what it has said. Traps are SIGILL on x86-64 and SIGTRAP on arm64.
    static func listen() {
        for number in [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGABRT] {
            signal(number) { _ in
                LastWords.speak()
                _exit(EXIT_SUCCESS)
            }
        }
    }

    /// Runs `check` on the input of a seed.
    static func blame(_ input: UnsafeRawBufferPointer, seed: UInt64, _ check: (UnsafeRawBufferPointer) -> Void) {
        (Self.input, Self.seed) = (input, seed)
        check(input)
    }

    private static func speak() {
        say(beginning)
        var divisor: UInt64 = 10_000_000_000_000_000_000
        while divisor > 1, seed / divisor == 0 { divisor /= 10 }
        while divisor > 0 {
            say(digit: UInt8(seed / divisor % 10))
            divisor /= 10
        }
        say(" in hexadecimal: ")
        for byte in input {
            say(digit: byte >> 4)
            say(digit: byte & 15)
        }
        say("\n")
    }

    private static func say(_ text: StaticString) { write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount) }

    private static func say(digit: UInt8) {
        var character = digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10
        write(STDERR_FILENO, &character, 1)
    }
}
