// Rows with aligned columns, as plain text.

struct TextTable {
    enum Alignment {
        case left
        case right
    }

    private let alignments: [Alignment]
    private var rows: [[String]]

    /// - Parameter columns: the heads, each with how its column is aligned.
    init(_ columns: [(head: String, Alignment)]) {
        alignments = columns.map(\.1)
        rows = [columns.map(\.head)]
    }

    /// A row with fewer cells than there are columns ends early; what its last cell says may be of any length.
    mutating func append(_ cells: [String]) { rows.append(cells.map(Console.printable)) }

    /// The lines, without spaces at their ends.
    func lines() -> [String] {
        let widths = alignments.indices.map { column in
            // A row's last cell of several columns may run over them.
            rows.filter { $0.count == alignments.count || column < $0.count - 1 }.map { $0[column].count }.max() ?? 0
        }
        return rows.map { row in
            let cells = row.indices.map { column in
                let space = String(repeating: " ", count: max(0, widths[column] - row[column].count))
                return alignments[column] == .left || row.count < alignments.count && column == row.count - 1
                    ? row[column] + space : space + row[column]
            }
            var line = cells.joined(separator: "  ")
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}

extension Double {
    /// With a fixed number of decimals, without Foundation's formatters.
    func text(decimals: Int, plus: Bool = false) -> String {
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        // What a node sends may be any number.
        let scaled = Int64(min(magnitude * scale, 1e18).rounded())
        let sign = self < 0 && scaled > 0 ? "-" : plus && scaled > 0 ? "+" : ""
        if decimals == 0 { return "\(sign)\(scaled)" }
        let rest = String(scaled % Int64(scale))
        return "\(sign)\(scaled / Int64(scale)).\(String(repeating: "0", count: decimals - rest.count))\(rest)"
    }
}
