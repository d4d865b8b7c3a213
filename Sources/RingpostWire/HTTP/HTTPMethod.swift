// The methods that some route could want. A method that isn't here is `.other`, and its text is still in the head.

/// A request's method (RFC 9110 9); names are case-sensitive.
public enum HTTPMethod: Sendable, Equatable {
    case get, head, post, put, delete, options, patch, other

    /// The method of that name; `.other` for every name that isn't listed here.
    init(_ name: UnsafeRawBufferPointer) {
        switch name.count {
        case 3 where name.equals("GET"): self = .get
        case 3 where name.equals("PUT"): self = .put
        case 4 where name.equals("POST"): self = .post
        case 4 where name.equals("HEAD"): self = .head
        case 5 where name.equals("PATCH"): self = .patch
        case 6 where name.equals("DELETE"): self = .delete
        case 7 where name.equals("OPTIONS"): self = .options
        default: self = .other
        }
    }

    /// Methods whose request means nothing without a body, so that a missing length is a mistake and not an empty body.
    var needsBody: Bool {
        switch self {
        case .post, .put, .patch: true
        case .get, .head, .delete, .options, .other: false
        }
    }
}
