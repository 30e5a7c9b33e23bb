// Running a piece of a test on another thread or in a forked child.

import CTestSupport

/// A body that C can call, and what it gave.
private final class Call {
  let body: () -> Void
  init(_ body: @escaping () -> Void) { self.body = body }
}

/// Runs `body` on another thread, and gives what it returns once the thread has ended.
func onAnotherThread<Value>(_ body: () -> Value) -> Value {
  withoutActuallyEscaping(body) { body in
    var value: Value?
    let call = Call { value = body() }
    // The thread has ended when test_on_thread returns, so `call` outlives its use.
    let result = unsafe test_on_thread(
      { context in unsafe Unmanaged<Call>.fromOpaque(context!).takeUnretainedValue().body() },
      Unmanaged.passUnretained(call).toOpaque())
    precondition(result == 0)
    return withExtendedLifetime(call) { value! }
  }
}

private final class ChildCall {
  let body: () -> Int32
  init(_ body: @escaping () -> Int32) { self.body = body }
}

/// A child that runs a body of its own. The child has one thread, whatever locks others held when it was forked: only in processes where
/// no other thread does anything.
struct ForkedChild {
  let process: Int32

  init(_ body: () -> Int32) {
    process = withoutActuallyEscaping(body) { body in
      let call = ChildCall(body)
      let child = unsafe test_start_child(
        { context in unsafe Unmanaged<ChildCall>.fromOpaque(context!).takeUnretainedValue().body() },
        Unmanaged.passUnretained(call).toOpaque())
      precondition(child > 0, "fork: errno \(-child)")
      // The child has a copy of its own.
      return withExtendedLifetime(call) { child }
    }
  }

  /// Waits for the child's end: what `body` returned, or -1000 - signal.
  func reap() -> Int32 { test_reap_child(process) }
}

/// Runs `body` in a forked child and gives its exit status.
func inForkedChild(_ body: () -> Int32) -> Int32 { ForkedChild(body).reap() }
