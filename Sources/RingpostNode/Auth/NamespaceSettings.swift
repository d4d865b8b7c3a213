// The file of namespaces, which is read once: mailboxes know theirs by its number.
import RingpostCore
import RingpostWire

extension NodeConfiguration {
    /// Reads the rules for channels by the beginning of their names.
    ///
    /// - Throws: ``NodeError`` when the file can't be read, or has something in it that makes no sense.
    public mutating func readNamespaces(_ path: String) throws(NodeError) {
        let bytes = try CredentialFile.read(path, "the file of namespaces", option: "--namespaces")
        do throws(NamespaceFault) { namespaces = try NamespaceFile.read(bytes) } catch {
            throw NodeError("the namespaces in \(path) can't be used: \(error.message) (--namespaces)")
        }
    }
}
