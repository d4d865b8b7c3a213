// How much of a request the parser takes, before anybody has said who is asking.
// Times (how long a head may take) belong to the shell that owns the clock.

/// The named maxima of ``HTTPRequestParser``, in bytes unless said otherwise.
public struct HTTPLimits: Sendable, Equatable {
    /// A request's head unless said otherwise: request line, headers and the line ends between them. Beyond: 431.
    /// Offsets into a head are kept in 16 bits, so it stays below 65,536.
    public static let headBytesMax = 16_384
    /// Headers of one request unless said otherwise, and trailers of one chunked body. Beyond: 431.
    public static let headerCountMax = 100
    /// The request target. Beyond: 414.
    public static let targetBytesMax = 8_192
    /// The method's name. Beyond: 501, as RFC 9112 3 asks for methods longer than any that is known.
    public static let methodBytesMax = 32
    /// Empty lines before a request line (RFC 9112 2.2 asks to forgive at least one). Beyond: 400.
    public static let leadingEmptyLinesMax = 2
    /// Digits of Content-Length. Beyond: 400.
    public static let contentLengthDigitsMax = 19
    /// The line that announces one chunk, with its extensions. Beyond: 400.
    public static let chunkLineBytesMax = 256
    /// Extensions of all chunks of one body together, or else tiny chunks carry far more ballast than body. Beyond: 400.
    public static let chunkExtensionBytesMax = 4_096
    /// All trailers of one body. Beyond: 431.
    public static let trailerBytesMax = 4_096

    /// The longest request line that keeps to the limits of its parts: method, target, two spaces and the version.
    static let requestLineBytesMax = methodBytesMax + targetBytesMax + 10

    /// A request's body. Beyond: 413, from the announced length where there is one.
    public var bodyBytesMax: Int
    /// A request's head, at most 65,535 bytes.
    public var headBytesMax: Int
    /// A request's headers.
    public var headerCountMax: Int

    /// The stated limits, with others for bodies and heads if wanted.
    public init(
        bodyBytesMax: Int = 65_536, headBytesMax: Int = HTTPLimits.headBytesMax, headerCountMax: Int = HTTPLimits.headerCountMax
    ) {
        self.bodyBytesMax = bodyBytesMax
        self.headBytesMax = min(headBytesMax, Int(UInt16.max))
        self.headerCountMax = headerCountMax
    }
}
