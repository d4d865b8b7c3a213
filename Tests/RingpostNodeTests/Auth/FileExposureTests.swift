// What others may do with a file, by its mode; and that a look at the file says the same.

import Glibc
import TestSupport
import Testing

@testable import RingpostNode

@Suite struct FileExposureTests {
    private static func words(_ exposure: FileExposure) -> String {
        if let sentence = exposure.objection(to: "x", "the secret") { return sentence }
        return exposure.warning(about: "x", "the secret") ?? "none"
    }

    private static func words(_ mode: mode_t, _ kind: mode_t = S_IFREG, isReadOnly: Bool = false) -> String {
        words(FileExposure(mode: kind | mode, isReadOnly: isReadOnly))
    }

    @Test func theMode() {
        for mode in [0o600, 0o400, 0o640, 0o700, 0o750, 0o601] as [mode_t] { #expect(Self.words(mode) == "none", "\(mode)") }
        for mode in [0o604, 0o644, 0o755] as [mode_t] { #expect(Self.words(mode).contains("may read the secret: x: chmod 600"), "\(mode)") }
        for mode in [0o602, 0o620, 0o660, 0o666, 0o777] as [mode_t] {
            #expect(Self.words(mode).contains("the secret is writable by others") && Self.words(mode).contains("chmod go-w"), "\(mode)")
            #expect(Self.words(mode, S_IFDIR).contains("writable"))
            #expect(Self.words(mode, S_IFIFO) == "none", "a pipe is whoever's that gave it")
            #expect(!Self.words(mode, isReadOnly: true).contains("writable"), "nobody can write there")
        }
        #expect(Self.words(0o666, isReadOnly: true).contains("may read"))
    }

    @Test func theFile() throws {
        let folder = try TemporaryFolder("exposure")
        let path = try folder.write("x", to: "secret")
        for (mode, word) in [(0o600, "none"), (0o644, "may read"), (0o664, "writable")] as [(mode_t, String)] {
            chmod(path, mode)
            #expect(Self.words(FileExposure(path: path)).contains(word))
        }
        chmod(folder.path, 0o777)
        #expect(Self.words(FileExposure(path: folder.path)).contains("writable"))
        chmod(folder.path, 0o700)
        #expect(Self.words(FileExposure(path: folder.file("nothing"))) == "none")
    }
}
