// Batches of producers: one JSON object a line, each of which is read or refused by itself.
import RingpostCore
import RingpostWire

enum BatchFuzzer {
    static func check(_ input: UnsafeRawBufferPointer) {
        let lines = BatchLine.split(input)
        demand(lines.reduce(0) { $0 + $1.count + 1 } <= input.count + 1, "the lines are longer than the batch")
        for line in lines {
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
