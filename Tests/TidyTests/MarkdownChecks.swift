// The rules for documents, each as a function from text to complaints: links lead somewhere, examples are JSON, the README stays short.
// This reads as much of Markdown as the documents use: fenced code, inline code, headings with #, links in brackets.
import Foundation

enum MarkdownChecks {
    // MARK: Size

    static let readmeLinesMax = 150
    static let readmeColumnsMax = 120

    static func size(_ text: String, of path: String) -> [String] {
        let lines = Markdown.lines(text)
        var complaints: [String] = []
        if lines.count > self.readmeLinesMax { complaints.append("\(path): \(lines.count) lines, at most \(self.readmeLinesMax)") }
        for (index, line) in lines.enumerated() where line.count > self.readmeColumnsMax {
            complaints.append("\(path):\(index + 1): \(line.count) columns, at most \(self.readmeColumnsMax)")
        }
        return complaints
    }

    // MARK: Links

    /// - Parameters:
    ///   - files: paths of all files of the repository.
    ///   - anchors: of each document, by its path.
    static func links(_ text: String, of path: String, files: Set<String>, anchors: [String: Set<String>]) -> [String] {
        Markdown(text).links.compactMap { link in
            let complaint = { (what: String) in "\(path):\(link.line): (\(link.target)) \(what)" }
            if link.target.isEmpty { return complaint("leads nowhere") }
            if ["https:", "http:", "mailto:"].contains(where: { link.target.hasPrefix($0) }) { return nil }
            let parts = link.target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard let target = parts[0].isEmpty ? path : self.resolve(parts[0], from: path) else {
                return complaint("leads out of the repository")
            }
            let isFolder = files.contains { $0.hasPrefix(target.hasSuffix("/") ? target : target + "/") }
            guard files.contains(target) || isFolder else { return complaint("names no file: there is no \(target)") }
            guard parts.count > 1 else { return nil }
            return anchors[target]?.contains(parts[1]) == true ? nil : complaint("names no heading of \(target)")
        }
    }

    /// A relative path as one from the repository's root; `nil` if it leads out of it.
    static func resolve(_ target: String, from path: String) -> String? {
        if target.hasPrefix("/") { return nil }
        var parts = path.split(separator: "/").dropLast().map(String.init)
        for part in target.split(separator: "/") where part != "." {
            if part != ".." {
                parts.append(String(part))
            } else if parts.popLast() == nil {
                return nil
            }
        }
        return parts.joined(separator: "/")
    }

    // MARK: Examples

    /// Each line of a block of JSON is one object: what a client or a node says at a time.
    static func examples(_ text: String, of path: String) -> [String] {
        var complaints: [String] = []
        for block in Markdown(text).blocks where block.language == "json" {
            if block.lines.isEmpty { complaints.append("\(path):\(block.firstLine): an example without a line") }
            for (index, line) in block.lines.enumerated() where !self.isObject(line) {
                complaints.append("\(path):\(block.firstLine + index): no JSON object on one line: \(line)")
            }
        }
        return complaints
    }

    private static func isObject(_ line: String) -> Bool {
        (try? JSONSerialization.jsonObject(with: Data(line.utf8))) is [String: Any]
    }
}

/// A document, taken apart.
struct Markdown {
    struct Link: Equatable {
        let target: String
        let line: Int
    }

    /// Fenced code.
    struct Block: Equatable {
        /// The first word behind the fence; empty for none.
        let language: String
        /// Of the first line inside.
        let firstLine: Int
        var lines: [String]
    }

    private(set) var links: [Link] = []
    private(set) var blocks: [Block] = []
    /// What a link may name behind its `#`, as GitHub makes it out of a heading.
    private(set) var anchors: Set<String> = []

    static func lines(_ text: String) -> [Substring] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.last?.isEmpty == true ? lines.dropLast() : lines
    }

    init(_ text: String) {
        var prose: [(line: Int, text: String)] = []
        var block: Block?
        for (index, line) in Self.lines(text).enumerated() {
            if line.hasPrefix("```") {
                if let ended = block {
                    self.blocks.append(ended)
                    block = nil
                } else {
                    let language = line.dropFirst(3).split(separator: " ").first.map(String.init) ?? ""
                    block = Block(language: language, firstLine: index + 2, lines: [])
                }
            } else if block != nil {
                block?.lines.append(String(line))
            } else {
                if let heading = line.wholeMatch(of: #/#{1,6} +(.+?)/#) { self.addAnchor(String(heading.1)) }
                prose.append((index + 1, Self.withoutInlineCode(line)))
            }
        }
        if let block { self.blocks.append(block) }
        self.links = Self.links(in: prose)
    }

    /// Lower case, hyphens for spaces, nothing else that is no letter and no digit; the second of its kind gets a number.
    private mutating func addAnchor(_ heading: String) {
        let kept = heading.lowercased().filter { $0.isLetter || $0.isNumber || $0 == " " || $0 == "-" || $0 == "_" }
        let anchor = kept.replacing(" ", with: "-")
        var number = 0
        var name = anchor
        while self.anchors.contains(name) {
            number += 1
            name = "\(anchor)-\(number)"
        }
        self.anchors.insert(name)
    }

    private static func withoutInlineCode(_ line: Substring) -> String {
        line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
            .map { index, part in index % 2 == 0 ? String(part) : String(repeating: "x", count: part.count) }
            .joined(separator: "`")
    }

    /// A link's text may go over several lines, its target may not.
    private static func links(in prose: [(line: Int, text: String)]) -> [Link] {
        prose.flatMap { line, text in
            text.matches(of: #/\]\(([^()\s]*)\)/#).map { Link(target: String($0.1), line: line) }
        }
    }
}
