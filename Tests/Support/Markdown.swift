// The documents of this repository, as tests read them. This takes apart as much of Markdown as they use: fenced code, inline code,
// headings with #, links in brackets.
import Foundation

/// A document, taken apart.
public struct Markdown {
    /// A link or a picture.
    public struct Link: Equatable {
        /// As it is written.
        public let target: String
        /// From 1.
        public let line: Int
    }

    /// Fenced code.
    public struct Block: Equatable {
        /// The first word behind the fence; empty for none.
        public let language: String
        /// What stands behind that word.
        public let label: String
        /// The number of the first line inside, from 1.
        public let firstLine: Int
        /// All lines inside.
        public fileprivate(set) var lines: [String]
    }

    /// In their order, without those in code.
    public private(set) var links: [Link] = []
    /// In their order.
    public private(set) var blocks: [Block] = []
    /// What a link may name behind its `#`, as GitHub makes it out of a heading.
    public private(set) var anchors: Set<String> = []

    /// The lines of a text, without what stands behind its last line's end.
    public static func lines(_ text: String) -> [Substring] {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.last?.isEmpty == true ? lines.dropLast() : lines
    }

    /// Reads a document.
    public init(_ text: String) {
        var prose: [(line: Int, text: String)] = []
        var block: Block?
        for (index, line) in Self.lines(text).enumerated() {
            if line.hasPrefix("```") {
                if let ended = block {
                    blocks.append(ended)
                    block = nil
                } else {
                    let words = line.dropFirst(3).split(separator: " ", maxSplits: 1).map(String.init)
                    block = Block(language: words.first ?? "", label: words.dropFirst().first ?? "", firstLine: index + 2, lines: [])
                }
            } else if block != nil {
                block?.lines.append(String(line))
            } else {
                if let heading = line.wholeMatch(of: #/#{1,6} +(.+?)/#) { addAnchor(String(heading.1)) }
                prose.append((index + 1, Self.withoutInlineCode(line)))
            }
        }
        if let block { blocks.append(block) }
        links = Self.links(in: prose)
    }

    /// Lower case, hyphens for spaces, nothing else that is no letter and no digit; the second of its kind gets a number.
    private mutating func addAnchor(_ heading: String) {
        let kept = heading.lowercased().filter { $0.isLetter || $0.isNumber || $0 == " " || $0 == "-" || $0 == "_" }
        let anchor = kept.replacing(" ", with: "-")
        var number = 0
        var name = anchor
        while anchors.contains(name) {
            number += 1
            name = "\(anchor)-\(number)"
        }
        anchors.insert(name)
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

/// The documents of the checkout that the tests were built from.
public enum Documents {
    /// The repository's root.
    public static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// Reads a file by its path from the root, as "docs/protocol/clients.md".
    public static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// The lines of all blocks of a document that are so labelled, as "json client".
    public static func lines(_ path: String, _ language: String, _ label: String) throws -> [String] {
        Markdown(try text(path)).blocks.filter { $0.language == language && $0.label == label }.flatMap(\.lines)
    }
}
