// Runs one decoder under libFuzzer: FuzzCommand DECODER [options of libFuzzer]. cluster/fuzz builds and calls it; without RINGPOST_FUZZ in
// the environment the package has no such target, because only some of the toolchains can build it.
import CLibFuzzer
import Fuzzing
import Glibc

@main enum FuzzCommand {
    /// libFuzzer's function takes no context.
    nonisolated(unsafe) private static var fuzzer: Fuzzer?

    static func main() {
        let arguments = CommandLine.arguments
        switch arguments.dropFirst().first {
        case "--list"?:
            for fuzzer in Fuzzer.all { print(fuzzer.name, fuzzer.bytesMax) }
        case "--words"?:
            guard let fuzzer = named(arguments.dropFirst(2).first) else { return complain() }
            for word in fuzzer.words { print(line(word)) }
        case let name:
            guard let fuzzer = named(name) else { return complain() }
            self.fuzzer = fuzzer
            run([arguments[0], "-max_len=\(fuzzer.bytesMax)"] + arguments.dropFirst(2))
        }
    }

    private static func run(_ arguments: [String]) {
        // libFuzzer keeps the pointers to the end, which is the process's.
        var count = Int32(arguments.count)
        let pointers = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: arguments.count + 1)
        for (index, argument) in arguments.enumerated() { pointers[index] = strdup(argument) }
        pointers[arguments.count] = nil
        var first: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = pointers
        exit(
            LLVMFuzzerRunDriver(&count, &first) { data, size in
                FuzzCommand.fuzzer?.check(UnsafeRawBufferPointer(start: data, count: size))
                return 0
            })
    }

    private static func named(_ name: String?) -> Fuzzer? { Fuzzer.all.first { $0.name == name } }

    private static func complain() {
        print("say which decoder: \(Fuzzer.all.map(\.name).joined(separator: ", "))")
        exit(2)
    }

    /// A line of a dictionary.
    private static func line(_ word: String) -> String {
        "\"" + word.utf8.map { (0x30...0x7A).contains($0) && $0 != 0x5C ? String(UnicodeScalar($0)) : escape($0) }.joined() + "\""
    }

    private static func escape(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16, uppercase: true)
        return "\\x" + (digits.count < 2 ? "0" : "") + digits
    }
}
