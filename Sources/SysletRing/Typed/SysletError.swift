// What went wrong in a typed syslet, and where.

public import SystemPackage

/// Why a typed syslet gave no result: which step failed, on what, and with which error.
///
/// `open "/etc/shadow": EACCES (Permission denied), step 1 of Files at Files.swift:12`
public struct SysletError: Error, Sendable, CustomStringConvertible {
  /// What ended the syslet.
  public struct Reason: Sendable, Equatable {
    enum Kind: Sendable, Equatable {
      case failed(Errno)
      case timedOut, full, closed, stepLimit, endOfStream
      case limitExceeded(Int)
      case engine(EngineError)
    }
    let kind: Kind

    /// A step's system call failed with this error.
    public static func failed(_ error: Errno) -> Reason { Reason(kind: .failed(error)) }
    /// The deadline passed first, or the limit of the step `within`.
    public static let timedOut = Reason(kind: .timedOut)
    /// As many syslets as `Options.maxPending` were there, and the runtime is to refuse more.
    public static let full = Reason(kind: .full)
    /// It has made as many steps as `SysletEngine.Options.maxSteps` allows.
    public static let stepLimit = Reason(kind: .stepLimit)
    /// The runtime was shut down.
    public static let closed = Reason(kind: .closed)
    /// There is more than so many bytes, which was the limit.
    public static func limitExceeded(_ limit: Int) -> Reason { Reason(kind: .limitExceeded(limit)) }
    /// The other side has closed in the middle of what was to be received.
    public static let endOfStream = Reason(kind: .endOfStream)

    /// The error of the system call that failed; nil for another reason.
    public var errno: Errno? {
      if case .failed(let error) = kind { return error }
      return nil
    }
  }

  /// A place in a program's source.
  public struct SourceLocation: Sendable, Hashable, CustomStringConvertible {
    /// The module and the file, as `#fileID` says.
    public var fileID: String
    /// The line, from 1.
    public var line: UInt

    /// The file's name and the line.
    public var description: String { "\(fileID.split(separator: "/").last ?? ""):\(line)" }

    init(_ fileID: StaticString, _ line: UInt) {
      self.fileID = "\(fileID)"
      self.line = line
    }
  }

  /// What ended the syslet.
  public var reason: Reason
  /// The step's operation, by its name in `SysletBuilder`; empty where no step was at fault.
  public var operation: String
  /// The path that the step was given.
  public var path: FilePath?
  /// The descriptor that the step was given.
  public var descriptor: FileDescriptor?
  /// The address that was to be connected to, or listened at, by a runtime's own method.
  public var address: SysletSocketAddress?
  /// Where the step stands in the source; nil where no step was at fault.
  public var step: SourceLocation?
  /// The program's name, and the step's number in it, from 1.
  var program = ""
  var number = 0
  /// How many steps were executed, those that clean up included.
  public var executed: Int

  /// What happened, to what, and where.
  public var description: String {
    var text = operation
    if let path { text += (text.isEmpty ? "" : " ") + "\"\(path)\"" }
    if let address { text += " \(address)" }
    if let descriptor, path == nil, address == nil { text += (text.isEmpty ? "" : " ") + "descriptor \(descriptor.rawValue)" }
    if !text.isEmpty { text += ": " }
    switch reason.kind {
    case .failed(let error): text += ErrorNumber.name(error.rawValue)
    case .timedOut: text += operation.isEmpty ? "the deadline passed" : "its time limit passed"
    case .full: text += "as many syslets as Options.maxPending are running"
    case .closed: text += "the runtime was shut down"
    case .limitExceeded(let limit): text += "it has more than the \(limit) bytes that the limit allows"
    case .endOfStream: text += "the other side has closed before all of it had come"
    case .stepLimit: text += "there are more steps than Options.maxSteps of them"
    case .engine(let error): text += "\(error)"
    }
    if let step { text += ", step \(number)\(program.isEmpty ? "" : " of \(program)") at \(step)" }
    return text
  }
}
