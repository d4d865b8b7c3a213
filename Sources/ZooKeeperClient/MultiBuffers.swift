// The memory of one multi-operation: the C library keeps pointers into it until the completion, so it is allocated by hand, owned by
// the pending request, and freed with it.

import CZooKeeper

/// The C form of a multi-operation's parts, and the places for their results.
///
/// Unchecked, because the pointers are not `Sendable`: the caller's thread fills the memory before the call, only the completion thread
/// (or, once that one is joined, the closing thread) touches it afterwards, and the request's table lock stands between the two.
final class MultiBuffers: @unchecked Sendable {
    private let operations: [ZooKeeperOperation]
    private var owned: [UnsafeMutableRawPointer] = []
    /// One entry for each part, in order.
    let parts: UnsafeMutableBufferPointer<zoo_op_t>
    /// One entry for each part, in order; filled by the library.
    let results: UnsafeMutableBufferPointer<zoo_op_result_t>

    /// Znodes that are created get this access.
    init(_ operations: [ZooKeeperOperation], access: ZNodeAccess) {
        self.operations = operations
        parts = .allocate(capacity: operations.count)
        parts.initialize(repeating: zoo_op_t())
        results = .allocate(capacity: operations.count)
        results.initialize(repeating: zoo_op_result_t())
        for (part, operation) in zip(parts.indices, operations) {
            fill(parts.baseAddress.map { $0 + part }, operation, access)
        }
    }

    deinit {
        parts.deallocate()
        results.deallocate()
        for pointer in owned { pointer.deallocate() }
    }

    /// The part that made the whole fail: those before it report success, those after it that they were not tried. `nil` when the
    /// whole failed for a reason outside its parts, where the library gives all of them the same code.
    func failedPart(code: Int32) -> ZooKeeperOperation? {
        let failed = results.indices.filter { results[$0].err == code }
        return failed.count == 1 ? operations[failed[0]] : nil
    }

    private func fill(_ part: UnsafeMutablePointer<zoo_op_t>?, _ operation: ZooKeeperOperation, _ access: ZNodeAccess) {
        let path = copy(Array(operation.path.utf8) + [0])
        let data = copy(operation.data)
        let dataBytes = Int32(operation.data.count)
        switch operation {
        case .create(_, _, let ephemeral):
            let mode = ephemeral ? ZOO_EPHEMERAL : ZOO_PERSISTENT
            zoo_create_op_init(part, path, data, dataBytes, access.list, mode, nil, 0)
        case .delete(_, let version): zoo_delete_op_init(part, path, version)
        case .set(_, _, let version): zoo_set_op_init(part, path, data, dataBytes, version, nil)
        case .check(_, let version): zoo_check_op_init(part, path, version)
        }
    }

    private func copy(_ bytes: [UInt8]) -> UnsafePointer<CChar> {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 1)
        memory.copyBytes(from: bytes)
        let start = memory.bindMemory(to: CChar.self).baseAddress
        guard let start else { preconditionFailure("An allocation of at least one byte has no address.") }
        owned.append(UnsafeMutableRawPointer(start))
        return UnsafePointer(start)
    }
}
