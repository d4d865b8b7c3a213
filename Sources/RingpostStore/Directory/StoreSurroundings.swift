// What a store has to know of the machine and the file system that it lies on.
import CRocksDB
import Glibc

/// The kernel's boot, and the device of a directory. Not the mount: its number is given anew in each mount namespace, which a service manager
/// makes for each start of a service (systemd: `PrivateTmp=`, `ProtectSystem=`), and is used again, so it says neither that a file system is
/// still mounted nor that it no longer is. Whoever unmounts a file system in order has what the kernel had written to it.
struct StoreSurroundings: Hashable {
    /// Empty when it can't be read: then nothing proves that the machine has not gone down, and it counts as another boot each time.
    let kernelBoot: String
    let device: String

    init(kernelBoot: String, device: String) {
        self.kernelBoot = kernelBoot
        self.device = device
    }

    init(of directory: String) throws(StoreRefusal) {
        let place = try Self.place(of: directory, for: directory)
        device = String(place.device)
        if case .whole(let text) = StoreFile.read("/proc/sys/kernel/random/boot_id") {
            kernelBoot = String(decoding: text, as: UTF8.self).filter { $0 != "\n" }
        } else {
            kernelBoot = ""
        }
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
