// Holds the repository against what it says of itself, and shows each of these checks a bad sample.
import Foundation
import Testing

@Suite struct CitationTests {
    // MARK: The repository

    @Test func theTopLevelIsShort() { report(Repository.files.flatMap { Checks.topLevel($0.path) }) }

    @Test func nothingIsCitedThatLiesElsewhere() { report(Repository.files.flatMap { Checks.citations($0.text ?? "", of: $0.path) }) }

    @Test func filesThatAreNamedAreThere() {
        // The tests of this target name files that are not there on purpose.
        let files = Repository.files.filter { !$0.path.hasPrefix("Tests/TidyTests/") || !$0.path.hasSuffix("Tests.swift") }
        report(
            files.flatMap {
                Checks.namedFiles($0.text ?? "", of: $0.path) {
                    FileManager.default.fileExists(atPath: Repository.root.appendingPathComponent($0).path)
                }
            })
    }

    @Test func typesThatDocumentsNameAreThere() {
        let sources = Repository.swiftFiles(in: "Sources") + Repository.swiftFiles(in: "Tests")
        // Folders have names too.
        let words = sources.reduce(into: Set<Substring>()) { $0.formUnion(Checks.words($1.path + "\n" + ($1.text ?? ""))) }
        // Guides and protocols name headers and other programs' settings too.
        let folders = ["docs/architecture", "docs/decisions/", "docs/CONTRIBUTING.md"]
        let documents = Repository.files.filter { file in file.path.hasSuffix(".md") && folders.contains { file.path.hasPrefix($0) } }
        #expect(documents.count > folders.count)
        report(documents.flatMap { Checks.namedTypes($0.text ?? "", of: $0.path, words: words) })
    }

    @Test func measurementsSayWhenAndWhere() {
        let pages = Repository.files.filter { $0.path.hasPrefix("docs/measurements/") && $0.path.hasSuffix(".md") }
        #expect(pages.count >= 4)
        report(pages.flatMap { Checks.measurements($0.text ?? "", of: $0.path) })
    }

    private func report(_ complaints: [String]) {
        for complaint in complaints { Issue.record(Comment(rawValue: complaint)) }
    }

    // MARK: Bad samples

    @Test func moreAtTheTopLevelIsRefused() {
        #expect(Checks.topLevel("SECURITY.md").first?.hasPrefix("SECURITY.md: the top level is ") == true)
        #expect(Checks.topLevel("tools/x").count == 1)
        #expect(Checks.topLevel("docs/SECURITY.md") + Checks.topLevel(".ci/run") + Checks.topLevel("README.md") == [])
    }

    @Test(arguments: Checks.elsewhere) func whatLiesElsewhereIsRefused(name: String) {
        #expect(Checks.citations("a\nsee \(name), \"Words\"", of: "A.swift") == ["A.swift:2: \(name) is not in this repository"])
    }

    @Test func filesThatAreNotThereAreRefused() {
        let named = { Checks.namedFiles($0, of: "a.md", isThere: { $0 == "Sources/A/A.swift" || $0 == "Sources/A" }) }
        #expect(named("see `Sources/A/A.swift`, and Sources/A.") == [])
        #expect(named("one\nsee Sources/A/B.swift.") == ["a.md:2: Sources/A/B.swift is not there"])
        #expect(named("cluster/b --c") == ["a.md:1: cluster/b is not there"])
        #expect(named("other/Sources/B, cluster/.run/log, Tests/Fuzzing/NAME") == [])
    }

    @Test func typesThatAreNotThereAreRefused() {
        let named = { Checks.namedTypes($0, of: "a.md", words: Checks.words("struct HashRing { let slotCount = 1 }")) }
        #expect(named("a `HashRing` and `HashRing.slotCount`, but no plain RingHash, `Word` or `lower`") == [])
        #expect(named("\na `RingHash` and `RingHash.slot`") == ["a.md:2: no source has a RingHash", "a.md:2: no source has a RingHash"])
    }

    @Test func measurementsWithoutOriginAreRefused() {
        let good = "<!-- measured: table -->\n| | |\n| --- | --- |\n| date | d |\n| commit | c |\n| machine | m |\n| command | c |\n"
        let end = "<!-- end of measured: table -->\n"
        #expect(Checks.measurements(good + end, of: "a.md") == [])
        #expect(Checks.measurements(good, of: "a.md") == ["a.md:1: table has no end"])
        #expect(Checks.measurements(good.replacing("commit", with: "version") + end, of: "a.md") == ["a.md:5: no row | commit | …"])
        #expect(Checks.measurements("", of: "a.md") == ["a.md: nothing that was measured"])
    }
}
