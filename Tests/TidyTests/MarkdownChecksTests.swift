// Shows every check of documents a bad sample, so that none can pass because it looks at nothing.
import TestSupport
import Testing

@Suite struct MarkdownChecksTests {
    private static let files: Set<String> = ["README.md", "docs/a.md", "docs/guide/b.md", "docs/picture.svg"]
    private static let anchors: [String: Set<String>] = ["README.md": [], "docs/a.md": ["words"], "docs/guide/b.md": ["who-is-there"]]

    private static func links(_ text: String, of path: String = "docs/a.md") -> [String] {
        MarkdownChecks.links(text, of: path, files: self.files, anchors: self.anchors)
    }

    // MARK: Size

    @Test func longReadmesAreRefused() {
        let lines = { String(repeating: "x\n", count: $0) }
        #expect(MarkdownChecks.size(lines(150), of: "README.md") == [])
        #expect(MarkdownChecks.size(lines(151), of: "README.md") == ["README.md: 151 lines, at most 150"])
    }

    @Test func wideReadmesAreRefused() {
        let line = { "a\n" + String(repeating: "─", count: $0) }
        #expect(MarkdownChecks.size(line(120), of: "README.md") == [])
        #expect(MarkdownChecks.size(line(121), of: "README.md") == ["README.md:2: 121 columns, at most 120"])
    }

    // MARK: Links

    @Test(arguments: [
        "[b](guide/b.md)", "[b](guide/b.md#who-is-there)", "[words](#words)", "[up](../README.md)", "![p](picture.svg)", "[folder](guide/)",
        "[folder](guide)", "[web](https://example.org/x)", "[post](mailto:a@example.org)", "`[no link](x.md)`", "```\n[no link](x.md)\n```",
        "[two\nlines](guide/b.md)", "no [link] (here)",
    ])
    func goodLinksAreAccepted(text: String) { #expect(Self.links(text) == []) }

    @Test(arguments: [
        "[b](guide/c.md)", "[b](b.md)", "[b](guide/b.md#who)", "[words](#word)", "[up](../../README.md)", "[root](/README.md)",
        "![p](picture.png)", "[nothing]()", "[folder](guides/)", "[two\nlines](guide/c.md)", "[picture](picture.svg#x)",
    ])
    func badLinksAreRefused(text: String) { #expect(Self.links(text).count == 1, "\(text)") }

    @Test func complaintsAboutLinksNameFileAndLine() {
        #expect(Self.links("a\n[b](c.md)", of: "docs/a.md") == ["docs/a.md:2: (c.md) names no file: there is no docs/c.md"])
        #expect(Self.links("[b](#c)", of: "docs/a.md") == ["docs/a.md:1: (#c) names no heading of docs/a.md"])
    }

    @Test func headingsBecomeAnchors() {
        let text = "# The way of a message\n## Operators' questions\n### `seq` and 2^64\n## Twice\n## Twice\n```\n# none\n```\n#none\n"
        #expect(
            Markdown(text).anchors == ["the-way-of-a-message", "operators-questions", "seq-and-264", "twice", "twice-1"])
    }

    // MARK: Examples

    @Test func goodExamplesAreAccepted() {
        #expect(MarkdownChecks.examples("```json\n{\"a\":1}\n{\"b\":[]}\n```\n", of: "a.md") == [])
        #expect(MarkdownChecks.examples("```json node\n{}\n```\n", of: "a.md") == [])
        #expect(MarkdownChecks.examples("```js\nnot json\n```\n{not json}\n", of: "a.md") == [])
    }

    @Test(arguments: ["{\"a\":}", "{\"a\":1", "[1]", "1", "{\n}", "{\"a\":…}", "", "{} {}"])
    func badExamplesAreRefused(text: String) {
        for fence in ["```json", "```json node"] {
            #expect(MarkdownChecks.examples("a\n\(fence)\n\(text)\n```\n", of: "a.md").count >= 1, "\(text)")
        }
    }

    @Test func complaintsAboutExamplesNameFileAndLine() {
        #expect(MarkdownChecks.examples("a\n```json\n{}\nx\n```", of: "a.md") == ["a.md:4: no JSON object on one line: x"])
        #expect(MarkdownChecks.examples("```json\n```", of: "a.md") == ["a.md:2: an example without a line"])
    }
}
