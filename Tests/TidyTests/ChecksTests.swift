// Shows every check a bad sample, so that none can pass because it looks at nothing.
import Testing

@Suite struct ChecksTests {
    // MARK: Scanner

    @Test func stringsAndCommentsAreBlanked() {
        #expect(SwiftSource(#"let a = "{ // \(b("}")) {" // {"#).lines == ["let a =" + String(repeating: " ", count: 24)])
        #expect(SwiftSource("a /* { /* } */ { */ b").lines == ["a " + String(repeating: " ", count: 17) + " b"])
        #expect(
            SwiftSource("x = \"\"\"\n  { \"quoted\" \\(f(\"{\")) {\n  \"\"\"\ny").lines.map { $0.filter { $0 != " " } } == [
                "x=", "", "", "y",
            ])
        #expect(SwiftSource("x = #\"{ \" \\( { \"# + y").lines.map { $0.filter { $0 != " " } } == ["x=+y"])
        #expect(
            SwiftSource("#if os(Linux)\nx = #/{\"/#\n#endif").lines.map { $0.filter { $0 != " " } } == ["#ifos(Linux)", "x=", "#endif"])
        #expect(SwiftSource("x = #/f\\((\")/#\ny {").lines.map { $0.filter { $0 != " " } } == ["x=", "y{"])
        #expect(SwiftSource("a\nb\n").lineCount == 2)
        #expect(SwiftSource("a\nb").lineCount == 2)
    }

    @Test func functionsAreFoundWithTheirLength() throws {
        let source = SwiftSource(
            """
            protocol P {
                func without() -> Int
                var x: Int { get }
            }
            struct S: P {
                init() { self.init(a: 1) }
                init?(
                    a: Int, f: () -> Int = { 3 }
                ) {
                    use("}")
                }
                func long<T>(_ t: T) async throws -> [T]
                where T: P {
                    func inner() {
                    }
                    list.map { S.init($0) }
                    call(with: {
                        func inClosure() {}
                    })
                }
                subscript(i: Int) -> Int { i }
                deinit {
                }
            }
            """)
        #expect(
            try source.functions() == [
                FunctionSpan(name: "init", firstLine: 6, lineCount: 1), FunctionSpan(name: "init", firstLine: 7, lineCount: 5),
                FunctionSpan(name: "long", firstLine: 12, lineCount: 9), FunctionSpan(name: "inner", firstLine: 14, lineCount: 2),
                FunctionSpan(name: "inClosure", firstLine: 18, lineCount: 1), FunctionSpan(name: "subscript", firstLine: 21, lineCount: 1),
                FunctionSpan(name: "deinit", firstLine: 22, lineCount: 2),
            ])
    }

    // MARK: Length

    @Test func longFilesAreRefused() {
        let lines = { String(repeating: "x\n", count: $0) }
        #expect(Checks.length(lines(400), of: "Sources/A/A.swift") == [])
        #expect(Checks.length(lines(401), of: "Sources/A/A.swift") == ["Sources/A/A.swift: 401 lines, at most 400"])
        #expect(Checks.length(lines(500), of: "Tests/A/A.swift") == [])
        #expect(Checks.length(lines(501), of: "Tests/A/A.swift") == ["Tests/A/A.swift: 501 lines, at most 500"])
    }

    @Test func longFunctionsAreRefused() {
        let function = { "//\nfunc f() {\n" + String(repeating: "    x\n", count: $0 - 2) + "}\n" }
        #expect(Checks.length(function(60), of: "Sources/A/A.swift") == [])
        #expect(Checks.length(function(61), of: "Sources/A/A.swift") == ["Sources/A/A.swift:2: f has 61 lines, at most 60"])
    }

    @Test(arguments: ["func f() {", "func f() { ( }", "}", "{\n", ")"])
    func unmatchedBracketsAreRefused(text: String) {
        #expect(Checks.length(text, of: "Sources/A/A.swift").count == 1)
    }

    // MARK: Imports

    @Test(arguments: [
        ("HashRing", "import Foundation"), ("RingpostCore", "import NIOCore"), ("RingpostCore", "@testable import RingpostWire"),
        ("RingpostCore", "import Foundation // JSONEncoder"), ("RingpostCore", "import struct FoundationEssentials.Date"),
        ("RingpostWire", "public import NIOPosix"), ("RingpostWire", "let a = 1; import ZooKeeperClient"),
        ("ZooKeeperClient", "@preconcurrency import RingpostCore"), ("RingpostNode", "import RingpostClient"),
        ("RingpostClient", "internal import RingpostNode"), ("ringpost", "import NIOCore"), ("Elsewhere", "let a = 1"),
    ])
    func wrongImportsAreRefused(target: String, text: String) {
        #expect(Checks.imports("// What it is for.\n" + text, of: "Sources/\(target)/A/B.swift").count == 1)
    }

    @Test(arguments: [
        ("HashRing", "// import Foundation"), ("HashRing", "let text = \"import Foundation\""), ("RingpostCore", "import HashRing"),
        ("RingpostCore", "import FoundationEssentials\nlet a = JSONEncoder()"), ("RingpostWire", "import NIOCore"),
        ("ringpost", "import struct Foundation.URL"), ("HashRing", "let important = 1"),
    ])
    func rightImportsAreAccepted(target: String, text: String) {
        #expect(Checks.imports(text, of: "Sources/\(target)/B.swift") == [])
    }

    @Test func complaintsNameFileAndLine() {
        #expect(
            Checks.imports("\nimport NIOCore", of: "Sources/HashRing/A.swift") == [
                "Sources/HashRing/A.swift:2: HashRing must not import NIOCore"
            ])
    }

    // MARK: Purity

    @Test(arguments: Checks.impureNames)
    func impureNamesAreRefused(name: String) {
        #expect(Checks.purity("let a = 1\nlet b = \(name)", of: "A.swift").count >= 1)
        #expect(Checks.purity("let a = \"\(name)\" // \(name)", of: "A.swift") == [])
    }

    @Test func longerWordsAreOtherWords() {
        #expect(Checks.purity("let b = lastUpDate(); MutexLike(); list.shuffled(using: &seeded); SubTask {}", of: "A.swift") == [])
        #expect(Checks.purity("let now = Date()", of: "A.swift").first?.hasPrefix("A.swift:1: Date() ") == true)
    }

    // MARK: Scripts

    @Test func badScriptsAreRefused() {
        let good = "#!/usr/bin/env bash\n# Does what it is for.\n"
        #expect(Checks.script(good, of: "cluster/x", isExecutable: true) == [])
        #expect(Checks.script(good, of: "cluster/x", isExecutable: false).count == 1)
        #expect(Checks.script("#!/usr/bin/env bash\necho\n", of: "cluster/x", isExecutable: true).count == 1)
        #expect(Checks.script("echo\n# Does what it is for.\n", of: "cluster/x", isExecutable: true).count == 1)
        #expect(Checks.script("", of: "cluster/x", isExecutable: true).count == 2)
        let sourced = "# shellcheck shell=bash\n# What the others share.\n"
        #expect(Checks.script(sourced, of: "cluster/x.sh", isExecutable: false) == [])
        #expect(Checks.script(sourced, of: "cluster/x", isExecutable: false).count == 1)
    }

    // MARK: Hygiene

    @Test(arguments: [".build/debug/a", "Sources/.build-tests/a", "Package.resolved", "examples/Package.resolved"])
    func buildProductsAreRefused(path: String) {
        #expect(Checks.fileName(path).count == 1)
    }

    @Test func machinePathsAreRefused() {
        #expect(Checks.fileName("Sources/HashRing/SipHash13.swift") == [])
        for folder in Checks.machineFolders {
            #expect(Checks.machinePaths("a\nsee \(folder)main", of: "README.md") == ["README.md:2: \(folder) is a path of one machine"])
            #expect(Checks.machinePaths("\(folder)main", of: "README.md").count == 1)
            #expect(Checks.machinePaths("file://\(folder)main \"\(folder)x\"", of: "README.md").count == 1)
            #expect(Checks.machinePaths("docs\(folder)main and https://example.org\(folder)x", of: "README.md") == [])
        }
    }
}
