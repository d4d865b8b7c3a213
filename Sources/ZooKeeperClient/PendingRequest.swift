// One request between its call and its answer. Two owners hold it: the C library, as the opaque pointer it hands to the completion, and
// the session's table of requests under way, which ends those that the library forgets.

import CZooKeeper
import Synchronization

/// What the session's table needs to know of a request, whatever its answer looks like.
protocol RequestUnderWay: AnyObject, Sendable {
    /// Answers with an error, unless an answer was given already.
    func fail(code: Int32)
    /// Gives back the library's reference; only for a request whose completion will certainly never come.
    func releaseFromLibrary()
}

/// A request whose answer is a `Value`. Thread-safe; the first answer counts, later ones are dropped.
final class PendingRequest<Value: Sendable>: RequestUnderWay {
    private let operation: String
    private let path: String
    /// The library writes the parts' results of a multi-operation into these until its completion, so they live as long as this.
    let multi: MultiBuffers?
    private let session: SessionHandle
    private let continuation: Mutex<CheckedContinuation<Result<Value, ZooKeeperError>, Never>?>

    init(
        _ operation: String, _ path: String, multi: MultiBuffers?, session: SessionHandle,
        continuation: CheckedContinuation<Result<Value, ZooKeeperError>, Never>
    ) {
        self.operation = operation
        self.path = path
        self.multi = multi
        self.session = session
        self.continuation = Mutex(continuation)
    }

    /// The pointer for the C library, which from now on owns one reference.
    func retainForLibrary() -> UnsafeRawPointer {
        UnsafeRawPointer(Unmanaged.passRetained(self).toOpaque())
    }

    func releaseFromLibrary() {
        Unmanaged.passUnretained(self).release()
    }

    /// The request behind a completion's pointer; takes the library's reference back, so once for each completion.
    static func takeBack(_ data: UnsafeRawPointer?) -> PendingRequest<Value> {
        guard let data else { preconditionFailure("The C library called a completion without the pointer it was given.") }
        return Unmanaged<PendingRequest<Value>>.fromOpaque(data).takeRetainedValue()
    }

    /// The library's answer: success with a value, or the code of a failure.
    func complete(code: Int32, value: @autoclosure () -> Value?) {
        session.forget(self)
        if code == ZOK.rawValue, let value = value() {
            answer(.success(value))
        } else if code == ZOK.rawValue {
            // Success without its value would be a library that broke its own contract; nobody may take it for one.
            fail(code: ZMARSHALLINGERROR.rawValue)
        } else {
            fail(code: code)
        }
    }

    func fail(code: Int32) {
        let part = multi?.failedPart(code: code)
        answer(.failure(ZooKeeperError(code: code, operation: part?.name ?? operation, path: part?.path ?? path)))
    }

    private func answer(_ result: Result<Value, ZooKeeperError>) {
        continuation.withLock { $0.take() }?.resume(returning: result)
    }
}
