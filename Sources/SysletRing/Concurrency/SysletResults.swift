// One program over many inputs: so many at a time, each result as it comes.

extension SysletRuntime {
  /// Runs a program once for each of `inputs`, up to `width` at a time, and gives each with what became of it, in the order in which they end.
  ///
  /// ```swift
  /// for try await (path, result) in runtime.results(of: Files.status, over: paths, width: 64) { print(path, try result.get().size) }
  /// ```
  ///
  /// No more than `width` inputs are taken that have not been given back. It begins with the first look for a result, and ends when nobody looks any more:
  /// what runs then is cut short. An error of `inputs` ends it, and cuts short what runs.
  public func results<Inputs: AsyncSequence & Sendable, Output: Sendable>(
    of syslet: Syslet<Inputs.Element, Output>, over inputs: Inputs, width: Int = 32
  ) -> SysletResults<Inputs, Output> where Inputs.Element: SysletParameter {
    SysletResults(runtime: self, syslet: syslet, inputs: inputs, width: max(1, width))
  }

  /// The same for a sequence that need not be waited for.
  public func results<Inputs: Sequence & Sendable, Output: Sendable>(
    of syslet: Syslet<Inputs.Element, Output>, over inputs: Inputs, width: Int = 32
  ) -> SysletResults<SysletInputs<Inputs>, Output> where Inputs.Element: SysletParameter {
    results(of: syslet, over: SysletInputs(base: inputs), width: width)
  }
}

/// A sequence as an asynchronous one.
public struct SysletInputs<Base: Sequence & Sendable>: AsyncSequence, Sendable {
  /// The sequence's.
  public typealias Element = Base.Element
  let base: Base

  /// Goes through the sequence.
  public struct AsyncIterator: AsyncIteratorProtocol {
    var base: Base.Iterator
    /// The next one.
    public mutating func next() async -> Base.Element? { base.next() }
  }

  /// An iterator from the beginning.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(base: base.makeIterator()) }
}

/// A program's results over many inputs, as they come: each with its input.
public struct SysletResults<Inputs: AsyncSequence & Sendable, Output: Sendable>: AsyncSequence, Sendable
where Inputs.Element: SysletParameter {
  /// An input, and what became of it.
  public typealias Element = (input: Inputs.Element, result: Result<Output, SysletError>)

  let runtime: SysletRuntime
  let syslet: Syslet<Inputs.Element, Output>
  let inputs: Inputs
  let width: Int

  /// Begins anew.
  public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(results: self, stream: ResultStream(width: width)) }

  /// Gives the results as they come.
  public struct AsyncIterator: AsyncIteratorProtocol {
    fileprivate let results: SysletResults
    fileprivate let stream: ResultStream<Element>

    /// The next result, nil behind the last one.
    ///
    /// - Throws: What `inputs` throws; `CancellationError` when the task is cancelled.
    public mutating func next() async throws -> Element? {
      stream.begin { [results] stream in await results.work(stream) }
      return try await stream.next()
    }
  }

  /// Runs the program for one input after the other, as there is room.
  private func work(_ stream: ResultQueue<Element>) async {
    do {
      try await withThrowingDiscardingTaskGroup { group in
        var inputs = inputs.makeAsyncIterator()
        while await stream.hasRoom(), let input = try await inputs.next(isolation: nil) {
          group.addTask {
            do {
              stream.put((input, .success(try await runtime.run(syslet, input))))
            } catch let error as SysletError {
              stream.put((input, .failure(error)))
            } catch {
              // With all of them, when nobody looks any more; otherwise the kernel has ended it.
              if !Task.isCancelled { stream.end(error) }
            }
          }
        }
      }
      stream.end(nil)
    } catch {
      stream.end(error)
    }
  }
}

/// What the tasks that make results and the one that takes them share. Ends with the last that has it: the tasks have only the queue.
final class ResultStream<Element: Sendable>: Sendable {
  private let queue: ResultQueue<Element>
  private let task = Locked<Task<Void, Never>?>(nil)

  init(width: Int) { queue = ResultQueue(width: width) }

  deinit { task.withLock { $0 }?.cancel() }

  /// Starts the task that makes results, once.
  func begin(_ work: @escaping @Sendable (ResultQueue<Element>) async -> Void) {
    task.withLock { [queue] task in
      if task == nil { task = Task { await work(queue) } }
    }
  }

  func next() async throws -> Element? {
    try await withTaskCancellationHandler {
      let next = await queue.next()
      if next == nil { try Task.checkCancellation() }
      return try next?.get()
    } onCancel: {
      task.withLock { $0 }?.cancel()
      queue.end(CancellationError())
    }
  }
}

/// Results that nobody has taken yet, and who waits for one, or for room.
final class ResultQueue<Element: Sendable>: Sendable {
  private typealias Taker = CheckedContinuation<Result<Element, any Error>?, Never>
  private typealias Waiter = CheckedContinuation<Bool, Never>

  private struct State {
    /// Inputs that may still be taken.
    var room: Int
    var ready: [Element] = []
    var isEnded = false
    var error: (any Error)?
    var taker: Taker?
    var waitsForRoom: Waiter?
  }

  private let state: Locked<State>

  init(width: Int) { state = Locked(State(room: width)) }

  /// Takes room for one more, and waits for that. False when no more is wanted.
  func hasRoom() async -> Bool {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let answer = state.withLock { state -> Bool? in
          if state.isEnded || Task.isCancelled { return false }
          guard state.room > 0 else {
            state.waitsForRoom = continuation
            return nil
          }
          state.room -= 1
          return true
        }
        if let answer { continuation.resume(returning: answer) }
      }
    } onCancel: {
      let waiting = state.withLock { state in
        defer { state.waitsForRoom = nil }
        return state.waitsForRoom
      }
      waiting?.resume(returning: false)
    }
  }

  func put(_ element: Element) {
    let (taker, waiting) = state.withLock { state -> (Taker?, Waiter?) in
      guard let taker = state.taker else {
        state.ready.append(element)
        return (nil, nil)
      }
      state.taker = nil
      return (taker, Self.makeRoom(&state))
    }
    taker?.resume(returning: .success(element))
    waiting?.resume(returning: true)
  }

  /// One has been taken: who waits for its room has it.
  private static func makeRoom(_ state: inout State) -> Waiter? {
    defer { state.waitsForRoom = nil }
    if state.waitsForRoom == nil { state.room += 1 }
    return state.waitsForRoom
  }

  func next() async -> Result<Element, any Error>? {
    await withCheckedContinuation { continuation in
      let (answer, waiting) = state.withLock { state -> (Result<Element, any Error>??, Waiter?) in
        // There are no more than the width.
        if !state.ready.isEmpty { return (.some(.success(state.ready.removeFirst())), Self.makeRoom(&state)) }
        guard state.isEnded else {
          state.taker = continuation
          return (nil, nil)
        }
        defer { state.error = nil }
        return (.some(state.error.map { .failure($0) }), nil)
      }
      if let answer { continuation.resume(returning: answer) }
      waiting?.resume(returning: true)
    }
  }

  /// No more come: what there is can still be taken, and then the error.
  func end(_ error: (any Error)?) {
    let (taker, waiting) = state.withLock { state -> (Taker?, Waiter?) in
      guard !state.isEnded else { return (nil, nil) }
      state.isEnded = true
      defer { (state.taker, state.waitsForRoom) = (nil, nil) }
      // Who waits has nothing else to get.
      if state.taker == nil { state.error = error }
      return (state.taker, state.waitsForRoom)
    }
    taker?.resume(returning: error.map { .failure($0) })
    waiting?.resume(returning: false)
  }
}
