// The circle as a picture: 256 cells of 256 slots each, in four rows, each cell in the colour of whoever owns most of it.
import HashRing

struct RingBar {
    static let rows = 4
    static let cellsPerRow = 64

    /// Colours of the 256-colour palette that stay apart on dark and light grounds.
    private static let colours = [33, 208, 41, 199, 226, 99, 51, 160, 118, 130, 219, 28, 21, 245, 178, 88]
    private static let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")

    /// By cell, the place of its largest owner; `nil` when nobody has weight.
    let cells: [Int?]
    private let names: [String]
    private let hasColours: Bool

    init(_ ring: HashRing, hasColours: Bool) {
        let slotsPerCell = HashRing.slotCount / (Self.rows * Self.cellsPerRow)
        cells = (0..<Self.rows * Self.cellsPerRow).map { cell in
            var counts = [Int](repeating: 0, count: ring.members.count)
            for slot in cell * slotsPerCell..<(cell + 1) * slotsPerCell {
                if let owner = ring.owner(ofSlot: slot) { counts[owner] += 1 }
            }
            let most = counts.max() ?? 0
            return most > 0 ? counts.firstIndex(of: most) : nil
        }
        names = ring.members.map { Console.printable($0.id) }
        self.hasColours = hasColours
    }

    /// The bar's rows and its legend.
    func lines() -> [String] {
        let slotsPerRow = HashRing.slotCount / Self.rows
        let bars = (0..<Self.rows).map { row in
            let start = String(row * slotsPerRow)
            let bar = cells[row * Self.cellsPerRow..<(row + 1) * Self.cellsPerRow].map(mark).joined()
            return String(repeating: " ", count: 5 - start.count) + start + "  " + bar
        }
        return bars + ["       " + names.indices.map { "\(mark($0)) \(names[$0])" }.joined(separator: "   ")]
    }

    private func mark(_ owner: Int?) -> String {
        guard let owner else { return "." }
        if hasColours { return "\u{1B}[38;5;\(Self.colours[owner % Self.colours.count])m█\u{1B}[0m" }
        return owner < Self.letters.count ? String(Self.letters[owner]) : "?"
    }
}
