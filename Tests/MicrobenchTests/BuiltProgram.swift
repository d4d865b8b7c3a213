// A program that was built together with the tests: beside the test bundle, so that another build folder is found as well.
import Foundation

enum BuiltProgram {
    static func path(_ name: String) -> String {
        let package = URL(fileURLWithPath: #filePath).pathComponents.dropLast(3)
        let fallback = NSString.path(withComponents: package + [".build", "debug", name])
        let beside = ["/proc/self/exe", CommandLine.arguments.first ?? ""].map {
            URL(fileURLWithPath: $0).resolvingSymlinksInPath().deletingLastPathComponent().appendingPathComponent(name).path
        }
        return beside.first { FileManager.default.isExecutableFile(atPath: $0) } ?? fallback
    }
}
