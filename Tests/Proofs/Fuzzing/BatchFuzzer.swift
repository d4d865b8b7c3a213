// Batches of producers: one JSON object a line, each of which is read or refused by itself.
import RingpostCore
import RingpostWire

enum BatchFuzzer {
    private static func lines(_ input: UnsafeRawBufferPointer, bytesAtOnce: Int) -> [Range<Int>] {
        var reader = BatchReader()
        var lines: [Range<Int>] = []
        while true {
            var bytesLeft = bytesAtOnce
            switch reader.next(input, bytesLeft: &bytesLeft) {
            case .line(let line): lines.append(line)
            case .pause: break
            case .end: return lines
            }
        }
    }

    static func check(_ input: UnsafeRawBufferPointer) {
        let lines = lines(input, bytesAtOnce: .max)
        demand(lines == self.lines(input, bytesAtOnce: 1), "lines depend on the slices")
        demand(lines.reduce(0) { $0 + $1.count + 1 } <= input.count + 1, "the lines are longer than the batch")
        for line in lines.map({ input[$0] }) {
            demand(!line.contains(0x0A), "a line of several lines")
            do throws(ProblemReport) {
                let line = try BatchLine(Array(line), hasher: CommandFuzzer.hasher, payloadBytesMax: CommandFuzzer.payloadBytesMax)
                CommandFuzzer.check(line.request)
            } catch {
                CommandFuzzer.check(error)
            }
        }
    }
}
