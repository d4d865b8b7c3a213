// What the repository says of itself must be there: files that are named, types that documents name, and nothing that lies elsewhere.

extension Checks {
    // MARK: Top level

    static let topLevel: Set<Substring> = ["Package.swift", "Sources", "Tests", "cluster", "docs", "README.md"]

    /// Whoever opens the repository sees these and dot files, and nothing else.
    static func topLevel(_ path: String) -> [String] {
        guard let first = path.split(separator: "/").first, !first.hasPrefix("."), !self.topLevel.contains(first) else { return [] }
        return ["\(path): the top level is \(self.topLevel.sorted().joined(separator: ", ")) and dot files; documents go into docs"]
    }

    // MARK: Files

    /// Files that lie beside some checkouts; put together here, or this file would complain about itself.
    static let elsewhere = ["DESIGN" + ".md", "LINEAGE" + ".md", "../" + "shared"]

    static func citations(_ text: String, of path: String) -> [String] {
        self.inLines(of: text, path) { line in
            self.elsewhere.filter { line.contains($0) }.map { "\($0) is not in this repository" }
        }
    }

    private static let sourceFolders = ["Sources/", "Tests/", "docs/", "cluster/"]

    /// Paths of this repository that a text names: each has to be there, as a file or a folder.
    ///
    /// - Parameter isThere: asked with a path relative to the root.
    static func namedFiles(_ text: String, of path: String, isThere: (String) -> Bool) -> [String] {
        self.inLines(of: text, path) { line in
            // To look for a word is far quicker than to look for the pattern.
            if !self.sourceFolders.contains(where: { line.contains($0) }) { return [] }
            return line.matches(of: #/(?:Sources|Tests|docs|cluster)\/[A-Za-z0-9_.\/+\-]*[A-Za-z0-9_]/#).compactMap { match in
                let name = String(match.output)
                // A longer path, and what scripts leave behind.
                let before = line[..<match.range.lowerBound].utf8.last
                if before.map({ SwiftSource.isWord($0) || "./-".utf8.contains($0) }) == true || name.hasPrefix("cluster/.run") {
                    return nil
                }
                // NAME stands for a name.
                let last = name.split(separator: "/").last ?? ""
                return isThere(name) || last.allSatisfy(\.isUppercase) ? nil : "\(name) is not there"
            }
        }
    }

    // MARK: Types

    /// Types that a document names between backticks: each has to be a word of the sources.
    static func namedTypes(_ text: String, of path: String, words: Set<Substring>) -> [String] {
        self.inLines(of: text, path) { line in
            line.matches(of: #/`([A-Z][a-z0-9]+(?:[A-Z][A-Za-z0-9]*)+)(?:\.[a-z][A-Za-z0-9]*)?`/#).compactMap { match in
                words.contains(match.output.1) ? nil : "no source has a \(match.output.1)"
            }
        }
    }

    /// All words of a text.
    static func words(_ text: String) -> Set<Substring> { Set(text.split { !($0.isLetter || $0.isNumber || $0 == "_") }) }

    // MARK: Measurements

    /// What tools write lies between marks, and begins with when, of what and where it was measured.
    static func measurements(_ text: String, of path: String) -> [String] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        var complaints: [String] = []
        var sections = 0
        for (index, line) in lines.enumerated() {
            guard let name = line.wholeMatch(of: #/<!-- measured: ([a-z]+) -->/#)?.output.1 else { continue }
            sections += 1
            for (offset, row) in ["date", "commit", "machine", "command"].enumerated() {
                let number = index + 3 + offset
                if !lines.indices.contains(number) || !lines[number].hasPrefix("| \(row) | ") {
                    complaints.append("\(path):\(number + 1): no row | \(row) | …")
                }
            }
            if !lines[index...].contains("<!-- end of measured: \(name) -->") {
                complaints.append("\(path):\(index + 1): \(name) has no end")
            }
        }
        return sections == 0 ? ["\(path): nothing that was measured"] : complaints
    }

    private static func inLines(of text: String, _ path: String, _ check: (Substring) -> [String]) -> [String] {
        text.split(separator: "\n", omittingEmptySubsequences: false).enumerated().flatMap { index, line in
            check(line).map { "\(path):\(index + 1): \($0)" }
        }
    }
}
