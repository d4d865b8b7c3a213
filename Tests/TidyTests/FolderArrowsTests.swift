// The check of folders complains about bad samples, and the table has no cycle.
import Testing

@Suite struct FolderArrowsTests {
    private let arrows = FolderArrows(root: "Sources/Node", table: ["Low": [], "Middle": ["Low"], "High": ["Low", "Middle"]])

    private func complaints(_ files: [String: String]) -> [String] {
        arrows.complaints(files.sorted { $0.key < $1.key }.map { arrows.file($0.value, at: "Sources/Node/" + $0.key) })
    }

    private let good = [
        "Low/Buffer.swift": "struct Buffer {}\nprivate struct State {}",
        "Middle/Pipe.swift": "final class Pipe {\n    var buffer = Buffer()\n}",
        "High/Tap.swift": "public protocol Tap {\n    var pipe: Pipe { get }\n}\nextension Buffer {}\nstruct State {}",
        "Node.swift": "struct Node {\n    let tap: any Tap\n    let buffer: Buffer\n}",
    ]

    @Test func arrowsThatTheTableAllows() {
        #expect(complaints(good) == [])
    }

    @Test(arguments: [
        ("Low/Bad.swift", "struct Bad {\n    let pipe: Pipe\n}", "Sources/Node/Low/Bad.swift:2: Low must not use Pipe of Middle"),
        ("Low/Bad.swift", "extension Pipe {}", "Sources/Node/Low/Bad.swift:1: Low must not use Pipe of Middle"),
        ("Middle/Bad.swift", "func use(_ tap: (any Tap)?) {}", "Sources/Node/Middle/Bad.swift:1: Middle must not use Tap of High"),
        ("Middle/Bad.swift", "let list: [Tap]", "Sources/Node/Middle/Bad.swift:1: Middle must not use Tap of High"),
        ("High/Bad.swift", "let node = Node(tap: tap)", "Sources/Node/High/Bad.swift:1: High must not use Node of the top"),
    ]) func arrowsThatItDoesNot(path: String, text: String, complaint: String) {
        #expect(complaints(good.merging([path: text]) { $1 }) == [complaint])
    }

    @Test(arguments: [
        "// Pipe\nlet text = \"Pipe \\(1) Tap\"\nlet pipeline = Pipeline()\nstruct Pipeline {}\n/* Tap */",
        "struct Good<Pipe: Sendable, Tap> {\n    let tap: [Tap: Pipe]\n}",
        "let list: [Report.Tap] = .Pipe",
        "struct Good {\n    enum Tap { case a }\n    let tap: Tap\n}",
    ]) func namesThatAreNoUse(text: String) {
        #expect(complaints(good.merging(["Low/Good.swift": text]) { $1 }) == [])
    }

    @Test func aRowThatIsTooWideOrOfNoFolder() {
        var files = good
        files["High/Tap.swift"] = "protocol Tap {\n    var pipe: Pipe { get }\n}"
        #expect(complaints(files) == ["Sources/Node: High may use Low but doesn't: take it out of the table"])
        files = good.filter { !$0.key.hasPrefix("High/") }
        #expect(complaints(files).contains("Sources/Node: there is no folder High"))
        files = good.merging(["Low/Deep/Buffers.swift": "struct Buffers {}"]) { $1 }
        #expect(complaints(files) == ["Sources/Node: the table has no row for the folder Low/Deep"])
    }

    @Test func cyclesAreFound() {
        #expect(arrows.cycle == nil)
        #expect(FolderArrows(root: "", table: ["A": ["B"], "B": ["C"], "C": ["A"]]).cycle == ["A", "B", "C", "A"])
        #expect(FolderArrows(root: "", table: ["A": ["A"]]).cycle == ["A", "A"])
    }

    @Test func theTablesHaveNoCycle() {
        for arrows in FolderArrows.all { #expect(arrows.cycle == nil, "\(arrows.root)") }
    }
}
