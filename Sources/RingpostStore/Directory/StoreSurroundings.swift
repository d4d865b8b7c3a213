// What a store has to know of the machine and the file system that it lies on.
import CRocksDB
import Glibc

/// The kernel's boot, and the mount of a directory.
struct StoreSurroundings: Hashable {
    let kernelBoot: String
    let mount: String

    init(kernelBoot: String, mount: String) {
        self.kernelBoot = kernelBoot
        self.mount = mount
    }

    init(of directory: String) throws(StoreRefusal) {
        let place = try Self.place(of: directory, for: directory)
        mount = "\(place.device):\(place.mount)"
        // Without it nothing proves that the machine has not gone down: then it is another boot each time.
        kernelBoot =
            StoreFile.read("/proc/sys/kernel/random/boot_id").map { String(decoding: $0, as: UTF8.self).filter { $0 != "\n" } } ?? ""
    }

    /// Which folder it is, whatever its name and wherever its file system is mounted: a copy is another one, also on another machine.
    static func folder(_ path: String, for directory: String) throws(StoreRefusal) -> String {
        let place = try place(of: path, for: directory)
        return "\(place.inode):\(place.born_nanoseconds)"
    }

    private static func place(of path: String, for directory: String) throws(StoreRefusal) -> ringpost_file_place {
        var place = ringpost_file_place()
        guard ringpost_place_of(path, &place) == 0 else { throw StoreRefusal(errno: errno, doing: "look at \(path)", directory) }
        return place
    }
}
