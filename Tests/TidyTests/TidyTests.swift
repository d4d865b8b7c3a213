// Holds the whole repository against the rules of Checks.swift.
import TestSupport
import Testing

@Suite struct TidyTests {
    @Test func noFileOrFunctionIsTooLong() {
        let complaints = (Repository.swiftFiles(in: "Sources") + Repository.swiftFiles(in: "Tests")).flatMap {
            Checks.length($0.text ?? "", of: $0.path)
        }
        report(complaints)
    }

    @Test func importsFollowTheArrows() {
        report(Repository.swiftFiles(in: "Sources").flatMap { Checks.imports($0.text ?? "", of: $0.path) })
    }

    @Test func theTableOfImportsNamesWhatPackageNames() throws {
        let package = try #require(Repository.files.first { $0.path == "Package.swift" }?.text)
        let named = Checks.allowedImports.values.reduce(Set(Checks.allowedImports.keys)) { $0.union($1) }
        report(named.subtracting(Checks.systemModules).filter { !package.contains("\"\($0)\"") }.map { "Package.swift has no \"\($0)\"" })
    }

    @Test func foldersFollowTheArrows() {
        for arrows in FolderArrows.all {
            report(arrows.complaints(Repository.swiftFiles(in: arrows.root).map { arrows.file($0.text ?? "", at: $0.path) }))
        }
    }

    @Test func decisionsArePure() {
        let pure = Repository.swiftFiles(in: "Sources/HashRing") + Repository.swiftFiles(in: "Sources/RingpostCore")
        report(pure.flatMap { Checks.purity($0.text ?? "", of: $0.path) })
    }

    /// What only a proof uses proves nothing of the node.
    @Test func theNodeRunsTheMachinesThatAreProved() {
        let sources = Repository.swiftFiles(in: "Sources")
        let machines = Repository.swiftFiles(in: "Sources/RingpostCore").flatMap { FolderArrows.declaredTypes(SwiftSource($0.text ?? "")) }
            .filter { $0.hasSuffix("Machine") }
        #expect(machines.count > 10)
        func isUsed(_ machine: Substring) -> Bool {
            sources.contains { !$0.path.contains("/\(machine)") && SwiftSource($0.text ?? "").lines.contains { $0.contains(machine) } }
        }
        report(machines.filter { !isUsed($0) }.map { "the sources don't use \($0)" })
    }

    @Test func scriptsSayWhatTheyAreFor() {
        let scripts = Repository.files.filter {
            let parts = $0.path.split(separator: "/")
            return parts.count == 2 && parts[0] == "cluster" && (!parts[1].contains(".") || parts[1].hasSuffix(".sh"))
        }
        for name in ["up", "down", "test"] { #expect(scripts.contains { $0.path == "cluster/" + name }) }
        report(scripts.flatMap { Checks.script($0.text ?? "", of: $0.path, isExecutable: $0.isExecutable) })
    }

    @Test func nothingThatBelongsToOneMachine() {
        report(Repository.files.flatMap { Checks.fileName($0.path) + Checks.machinePaths($0.text ?? "", of: $0.path) })
    }

    @Test func swiftFilesAreText() {
        report(Repository.files.filter { $0.path.hasSuffix(".swift") && $0.text == nil }.map { "\($0.path): no UTF-8" })
    }

    @Test func linksOfDocumentsLeadSomewhere() {
        let paths = Set(Repository.files.map(\.path))
        let anchors = Dictionary(uniqueKeysWithValues: Repository.documents.map { ($0.path, Markdown($0.text ?? "").anchors) })
        report(Repository.documents.flatMap { MarkdownChecks.links($0.text ?? "", of: $0.path, files: paths, anchors: anchors) })
    }

    @Test func examplesInDocumentsAreJSON() {
        report(Repository.documents.flatMap { MarkdownChecks.examples($0.text ?? "", of: $0.path) })
    }

    @Test func theReadmeIsShort() throws {
        let readme = try #require(Repository.documents.first { $0.path == "README.md" })
        report(MarkdownChecks.size(readme.text ?? "", of: readme.path))
    }

    private func report(_ complaints: [String]) {
        for complaint in complaints { Issue.record(Comment(rawValue: complaint)) }
    }
}
