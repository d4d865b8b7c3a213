// What other users of the machine may do with a file that says whom to trust. One look for all such files, those of the commands too: who
// can read a secret has it, and who can write into a file of keys decides whom the node believes.
import Glibc

/// What others than a file's owner may do with it.
public enum FileExposure: Sendable {
    /// Nothing that matters.
    case none
    /// Every user may read it.
    case readable
    /// Its group, or every user, may write it.
    case writable

    /// - Parameter descriptor: of the open file: what is looked at is what is read.
    public init(descriptor: Int32) {
        var (status, system) = (stat(), statvfs())
        guard fstat(descriptor, &status) == 0 else {
            self = .none
            return
        }
        let isReadOnly = fstatvfs(descriptor, &system) == 0 && system.f_flag & UInt(ST_RDONLY) != 0
        self.init(mode: status.st_mode, isReadOnly: isReadOnly)
    }

    /// What stands at a path; nothing, if nothing does.
    public init(path: String) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            self = .none
            return
        }
        defer { close(descriptor) }
        self.init(descriptor: descriptor)
    }

    /// - Parameters:
    ///   - mode: as `stat` says it.
    ///   - isReadOnly: nobody can write there, whatever the mode: as in the secrets that a container is given.
    init(mode: mode_t, isReadOnly: Bool) {
        // Pipes and terminals are whoever's that started the program.
        guard [S_IFREG, S_IFDIR].contains(mode & S_IFMT) else {
            self = .none
            return
        }
        if mode & (S_IWGRP | S_IWOTH) != 0, !isReadOnly { self = .writable } else { self = mode & S_IROTH != 0 ? .readable : .none }
    }

    /// Why the file is not taken; `nil` if it is.
    ///
    /// - Parameter what: "the link secret".
    public func objection(to path: String, _ what: String) -> String? {
        guard case .writable = self else { return nil }
        return "\(what) is writable by others than its owner, who could put in what they like: \(path): chmod go-w it"
    }

    /// What an operator should know of a file with a secret; `nil` if there is nothing.
    public func warning(about path: String, _ what: String) -> String? {
        guard case .readable = self else { return nil }
        return "every user of this machine may read \(what): \(path): chmod 600 it"
    }
}
